"""What calls give back."""

from __future__ import annotations

from dataclasses import dataclass

from .options import FinishReason


@dataclass(frozen=True)
class GenerationResult:
    """How a text ended: counts of tokens and times in seconds.

    ``n_cached`` are the prompt's tokens that needed not be read: the session had read them before, or they were held for another
    session of the model. ``n_left_out`` are the oldest messages of a conversation that did not fit and were left out of the prompt, with
    ``context_shift``.
    """

    finish_reason: FinishReason
    n_prompt: int
    n_cached: int
    n_generated: int
    prompt_seconds: float
    generation_seconds: float
    n_left_out: int = 0


@dataclass(frozen=True)
class Perplexity:
    """How well a model foresees a text: ``perplexity`` = exp(``mean_nll``) over ``n_scored`` tokens. Infinite when it held a token for
    impossible."""

    perplexity: float
    standard_error: float
    mean_nll: float
    n_tokens: int
    n_windows: int
    n_scored: int


@dataclass(frozen=True)
class Token:
    """A token that was written; ``text`` is what became whole with it. ``logprob`` is NaN unless ``n_probs`` is above 0."""

    id: int
    index: int
    text: str
    logprob: float
    candidates: list[tuple[int, float]]
