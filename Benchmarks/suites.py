"""What `make bench` measures, in pieces of minutes (`SUITE=`), and how long a piece will take."""

from __future__ import annotations

import dataclasses

#: Sequences that write together, and tokens of a short prompt: the lengths of a step that are measured.
STEPS = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 32]
#: Those that llama.cpp is measured with: its table of kernels has no more kinks than these show.
PEER_STEPS = [1, 2, 4, 8, 16, 32]
NAMES = ["types", "threads", "steps", "depth"]


@dataclasses.dataclass
class Suite:
    """What is measured in one go."""

    prompts: list[int]
    generations: list[int]
    threads: list[int]
    depths: list[int] = dataclasses.field(default_factory=lambda: [0])
    #: Sequences that write together.
    sequences: list[int] = dataclasses.field(default_factory=lambda: [1])
    #: Type of the key and value caches.
    cache: str = "f16"
    repetitions: int = 1
    #: Rounds in which all engines take turns.
    rounds: int = 1
    #: Whether llama.cpp is measured too, and with how many sequences; None: as many as we.
    with_peers: bool = True
    peer_sequences: list[int] | None = None
    #: The same of prompts.
    peer_prompts: list[int] | None = None

    def for_peer(self, rounds: int) -> "Suite":
        """What llama.cpp does of it, in so many rounds."""
        sequences = self.sequences if self.peer_sequences is None else self.peer_sequences
        prompts = self.prompts if self.peer_prompts is None else self.peer_prompts
        return dataclasses.replace(self, sequences=sequences, prompts=prompts, rounds=rounds)

    def title(self) -> str:
        """For the line that says what runs now."""
        what = [f"pp{commas(self.prompts)}"] * bool(self.prompts) + [f"tg{commas(self.generations)}"] * bool(self.generations)
        notes = [f"depth {commas(self.depths)}"] * (self.depths != [0])
        notes += [f"{commas(self.sequences)} sequences"] * (self.sequences != [1]) + [f"{self.cache} cache"] * (self.cache != "f16")
        return "; ".join([*what, *notes, f"threads {commas(self.threads)}"])

    def seconds(self, pp: float, tg: float) -> float:
        """How long it takes an engine that reads `pp` and writes `tg` tokens a second, about: warming up reads and fills once more, and what is
        written by n sequences takes as long as the weights, or as a prompt of n tokens, whichever is longer."""
        once = 0.0
        for _ in self.threads:
            for _ in self.depths:
                once += sum(self.prompts) / pp
                once += sum(length * max(1 / tg, n / pp) for length in self.generations for n in self.sequences)
        filling = sum(self.depths) / pp * len(self.threads)
        reading = sum(self.prompts) / pp * len(self.threads)
        return self.rounds * (once * self.repetitions + filling * max(self.sequences) + reading)


def commas(numbers: list[int]) -> str:
    return ",".join(map(str, numbers)) or "0"


def runs(name: str, threads: int, rounds: int, prompts: list[int], n_gen: int, depths: list[int], steps: list[int]) -> list[Suite]:
    """The parts of the suite `name`, one after the other."""
    longest = prompts[-1:]
    if name == "types":
        return [Suite(prompts, [n_gen], [threads], rounds=rounds)]
    if name == "threads":
        fewer = [Suite(longest, [n_gen], list(range(1, threads)), repetitions=min(2, rounds), with_peers=False)] if threads > 1 else []
        return [Suite(longest, [n_gen], [threads], repetitions=min(2, rounds), with_peers=False), *fewer]
    if name == "steps":
        # The prompt is the limit that many sequences come near; short ones are what drafted tokens are.
        short = [n for n in steps if n > 1 and n not in longest]
        peers = [n for n in steps if n in PEER_STEPS] or steps
        return [Suite([*short, *longest], [max(1, n_gen // 4)], [threads], sequences=steps, rounds=rounds, peer_sequences=peers, peer_prompts=[])]
    if name == "depth":
        everywhere = [0, *depths]
        return [Suite(longest, [n_gen], [threads], depths=everywhere, cache=cache, repetitions=min(2, rounds)) for cache in ("f16", "q8_0")]
    raise ValueError(f"suite: found {name!r}, expected one of {', '.join(NAMES)}")
