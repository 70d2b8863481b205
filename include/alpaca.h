/* alpaca.h - the C interface of libalpaca, an engine for Chinese LLaMA and Alpaca models.
 *
 * What is not in this file is not part of the interface. It holds for all of it:
 *
 * Errors. A function that can fail returns alpaca_status; alpaca_last_error() then tells this thread, in one sentence, what was being done,
 *   what was found and what was expected. Out-parameters are written on success only, except that a handle's is set to NULL on failure.
 *   No argument and no file ends the process: NULL, wrong sizes, freed handles and handles of another kind are errors like others.
 * Handles. What an _open or _create function gives is freed by the _free function of the same type. Freeing NULL does nothing. Objects keep
 *   what they need alive: a model may be freed before its sessions.
 * Structs. Each begins with struct_size, set it to sizeof of the struct or call its _init function. A program compiled against an older
 *   header goes on working; one compiled against a newer header works as long as what this library does not know is zero, else it gets
 *   ALPACA_UNSUPPORTED. Fields are only ever added at the end, values of enums never change, functions are never removed.
 * Text. UTF-8, with a length in bytes; ALPACA_NUL_TERMINATED as a length means that a zero byte ends it. Paths alone are any bytes, as the
 *   system has them; messages and reports show what is not UTF-8 in them as \xC4. Output goes to the caller's buffer:
 *   when it is too small the call returns ALPACA_BUFFER_TOO_SMALL, writes nothing to it, and *needed tells the size.
 * Threads. Models and tokenizers never change and may be used by any number of threads at once. A session serves one call at a time, from
 *   any thread; a second one meanwhile gets ALPACA_BUSY. alpaca_session_cancel may be called at any time from any thread. Sessions of one
 *   model (one alpaca_model_open) share one set of computing threads and one set of buffers. Calls on several of them at the same time are
 *   combined: the weights are read from memory once for all of them. What each call computes stays the same, to the last bit.
 * Callbacks run on the calling thread, inside the call. They may use getters and alpaca_session_cancel; other calls on the same session get
 *   ALPACA_BUSY. They must return: leaving by longjmp or by an exception is undefined.
 * Process. The library installs no signal handler, prints nothing, changes no locale, directory, mask or environment. After fork, the child
 *   may use it as long as no call was running in the parent at that moment, sessions of the parent too, which compute there on the thread
 *   that calls.
 */
#ifndef ALPACA_H
#define ALPACA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Versions ------------------------------------------------------------------------------------------------------------------------ */

/** Version of this header. */
#define ALPACA_VERSION_MAJOR 1
#define ALPACA_VERSION_MINOR 1
#define ALPACA_VERSION_PATCH 0

/** Version of the interface that this header describes; it grows when something is added. */
#define ALPACA_ABI_VERSION 2

/** As a length of text: the text ends at its first zero byte. */
#define ALPACA_NUL_TERMINATED SIZE_MAX

/* ---- Errors -------------------------------------------------------------------------------------------------------------------------- */

/** How a call ended. Values never change. */
typedef enum alpaca_status {
    ALPACA_OK = 0,                   /**< Success. */
    ALPACA_INVALID_ARGUMENT = 1,     /**< NULL, a bad handle, a number out of its range, text that is not UTF-8. */
    ALPACA_NOT_FOUND = 2,            /**< The file or folder, or the key, does not exist. */
    ALPACA_IO = 3,                   /**< The system could not read or write. */
    ALPACA_BAD_FORMAT = 4,           /**< The file is not what it should be. */
    ALPACA_UNSUPPORTED = 5,          /**< The file or the request is sound but this version can't do it. */
    ALPACA_TRUNCATED = 6,            /**< The file is incomplete, or became shorter while in use. */
    ALPACA_SHAPE_MISMATCH = 7,       /**< A tensor or a vocabulary has another size than expected. */
    ALPACA_MISSING = 8,              /**< A tensor, key or part is missing in the file. */
    ALPACA_UNSAFE = 9,               /**< The file would run code if it were loaded as its authors' tools do. */
    ALPACA_OUT_OF_MEMORY = 10,       /**< Not enough memory, or more asked for than the machine has. */
    ALPACA_CONTEXT_FULL = 11,        /**< More tokens than the session's n_ctx can hold. */
    ALPACA_BUFFER_TOO_SMALL = 12,    /**< *needed tells the size that is needed. */
    ALPACA_BUSY = 13,                /**< The session is in use by another call. */
    ALPACA_CANCELLED = 14,           /**< Cancelled by a callback or by alpaca_session_cancel. */
    ALPACA_VERIFICATION_FAILED = 15, /**< A file's hash is not the published one. */
    ALPACA_INTERNAL = 16             /**< A mistake of the library; please report it. */
} alpaca_status;

/** The status' name, such as "ALPACA_BAD_FORMAT"; "ALPACA_UNKNOWN" for a number that is none. Never NULL, never freed. */
const char *alpaca_status_name(alpaca_status status);

/** What went wrong in this thread's last call that failed: UTF-8, "" when none did. Valid until the thread's next call that fails; never
 *  NULL, not to be freed. */
const char *alpaca_last_error(void);

/** Version of the library, "1.1.0". Never NULL, not to be freed. */
const char *alpaca_version(void);

/** ALPACA_ABI_VERSION of the library. */
int32_t alpaca_abi_version(void);

/** What the library is and found, as a JSON object: version, abi_version, cpu_path (the instruction set in use), n_cores (physical cores
 *  that the process may use), types (tensor types). Not to be freed. */
const char *alpaca_build_info(void);

/* ---- Text that the library gives ------------------------------------------------------------------------------------------------------ */

/** A text of the library, freed by alpaca_string_free. */
typedef struct alpaca_string alpaca_string;

/** The text's bytes, UTF-8, a zero behind them; NULL for a bad handle. Valid until it is freed. */
const char *alpaca_string_data(const alpaca_string *string);

/** The text's length in bytes without the closing zero; 0 for a bad handle. */
size_t alpaca_string_size(const alpaca_string *string);

/** Frees a text. NULL does nothing. */
void alpaca_string_free(alpaca_string *string);

/* ---- Log ----------------------------------------------------------------------------------------------------------------------------- */

/** What a line of the log tells. */
typedef enum alpaca_log_level {
    ALPACA_LOG_ERROR = 1,  /**< A call fails; the text is alpaca_last_error's. */
    ALPACA_LOG_WARNING = 2 /**< A call goes well, with something that people should know. */
} alpaca_log_level;

/** A line of the log. Valid during the callback. */
typedef struct alpaca_log_entry {
    size_t struct_size; /**< Bytes that the library filled. */
    int32_t level;      /**< An alpaca_log_level. */
    int32_t reserved;   /**< 0. */
    const char *text;   /**< UTF-8, not zero-terminated. */
    size_t text_length; /**< Its bytes. */
} alpaca_log_entry;

/** Told of what happens in a call, on the thread that calls, inside the call; on several threads at once if they do. */
typedef void (*alpaca_log_callback)(const alpaca_log_entry *entry, void *user_data);

/** Has `callback` told of each call that fails (ALPACA_BUFFER_TOO_SMALL excepted, which answers a question) and of the warnings of models
 *  that are opened, of sessions and of conversions. One for the process; NULL (default): nobody is told. What the callback itself calls is
 *  not told. When this returns, another thread may still be in the callback that was set before.
 *
 *  @param user_data  Handed to callback. */
void alpaca_set_log_callback(alpaca_log_callback callback, void *user_data);

/* ---- Progress ------------------------------------------------------------------------------------------------------------------------ */

/** How far a long call has come. */
typedef struct alpaca_progress {
    size_t struct_size; /**< Bytes that the library filled. */
    const char *stage;  /**< What is being done: "load", "hash", "convert", ... Valid during the callback. */
    const char *item;   /**< The item at work, such as a file; may be "". Valid during the callback. */
    uint64_t done;      /**< Bytes done. */
    uint64_t total;     /**< Bytes in all, 0 when that is not known. */
} alpaca_progress;

/** Told of progress; a result other than 0 cancels the call (ALPACA_CANCELLED). */
typedef int32_t (*alpaca_progress_callback)(const alpaca_progress *progress, void *user_data);

/* ---- Models -------------------------------------------------------------------------------------------------------------------------- */

/** A model, open for use: immutable, shared by any number of threads and sessions. */
typedef struct alpaca_model alpaca_model;
/** Text to tokens and back: immutable, shared by any number of threads. */
typedef struct alpaca_tokenizer alpaca_tokenizer;

/** How a model is opened. */
typedef struct alpaca_model_params {
    size_t struct_size;                /**< sizeof(alpaca_model_params). */
    int32_t use_mmap;                  /**< 1: weights are used where they lie in the file, loaded when touched, shared between processes.
                                            0: the whole file is read into memory. -1 (default): 1, except for files on network and FUSE
                                            file systems (NFS, SMB, 9P, Ceph, ...), where the system can lose pages of a mapped file.
                                            A mapped file that another process cuts short or writes to: a session notices before each
                                            token and each batch of a prompt, with ALPACA_TRUNCATED or ALPACA_IO. Pages that are lost while
                                            one is computed end the process by SIGBUS; with 0 nothing of the kind can happen. Renaming
                                            another file over it does no harm: the model goes on with what it opened. */
    int32_t lock_memory;               /**< 1: keep the weights from being swapped out (mlock). Default 0. */
    int32_t prefetch;                  /**< 1: ask the system to load the whole file ahead of its use. Default 0. */
    int32_t reserved;                  /**< 0. */
    alpaca_progress_callback progress; /**< Called while the file is read (use_mmap 0, prefetch, lock_memory); NULL (default) for none. */
    void *user_data;                   /**< Handed to progress. */
    uint64_t cache_bytes;              /**< Bytes of memory that the keys and values of all sessions of the model may take together; 0
                                            (default): no limit but the machine's. What a session was promised counts from
                                            alpaca_session_create on; what a session with grow_on_demand holds counts as it grows, and once
                                            when several of these sessions hold it. It counts in pages of 64 positions. Who asks for more
                                            gets ALPACA_OUT_OF_MEMORY, and other sessions are not harmed. Values above INT64_MAX count as
                                            INT64_MAX. Since version 1.1. */
} alpaca_model_params;

/** Fills in the defaults. `size` is sizeof(alpaca_model_params).
 *  @return ALPACA_OK, ALPACA_INVALID_ARGUMENT. */
alpaca_status alpaca_model_params_init(alpaca_model_params *params, size_t size);

/** Opens a model: a file, or a name on the Hugging Face hub, "owner/name", that its tools have downloaded (HF_HUB_CACHE, HF_HOME,
 *  ~/.cache/huggingface/hub; nothing is fetched). So it is for each model, tokenizer and adapter that this interface reads. Headers are read
 *  and checked; weights are not touched, so a file of gigabytes opens in milliseconds.
 *
 *  @param path    The path or name, zero-terminated.
 *  @param params  NULL for the defaults.
 *  @param out     Receives the model, to be freed by alpaca_model_free; NULL on failure.
 *  @return ALPACA_OK, ALPACA_NOT_FOUND, ALPACA_IO, ALPACA_BAD_FORMAT, ALPACA_UNSUPPORTED, ALPACA_TRUNCATED, ALPACA_SHAPE_MISMATCH,
 *          ALPACA_MISSING, ALPACA_UNSAFE, ALPACA_OUT_OF_MEMORY, ALPACA_CANCELLED, ALPACA_INVALID_ARGUMENT. */
alpaca_status alpaca_model_open(const char *path, const alpaca_model_params *params, alpaca_model **out);

/** One more owner of the model: it goes when alpaca_model_free has been called once for each. Returns `model`, NULL for a bad handle. */
alpaca_model *alpaca_model_retain(alpaca_model *model);

/** Gives the model up. Its sessions keep what they need. NULL does nothing. */
void alpaca_model_free(alpaca_model *model);

/** A model's sizes. */
typedef struct alpaca_model_info {
    size_t struct_size;     /**< In: sizeof(alpaca_model_info). Out: bytes that the library filled. */
    int32_t n_vocab;        /**< Tokens in the vocabulary. */
    int32_t n_ctx_train;    /**< Positions that the model was trained for. */
    int32_t n_embd;         /**< Width of the residual stream. */
    int32_t n_layer;        /**< Layers. */
    int32_t n_head;         /**< Query heads of a layer. */
    int32_t n_head_kv;      /**< Key and value heads of a layer. */
    int32_t n_ff;           /**< Width of the feed-forward part. */
    int32_t reserved;       /**< 0. */
    uint64_t n_params;      /**< Parameters in all tensors. */
    uint64_t size_bytes;    /**< Size of the file. */
    double rope_theta;      /**< Base of the rotary angles. */
    char architecture[32];  /**< "llama", zero-terminated. */
    char quantization[32];  /**< "Q8_0", "Q4_K_M" ..., zero-terminated; cut if longer. */
    char template_name[32]; /**< The template that prompts get by default: a name; "jinja" for a text of the files' own; "none" if none;
                                 "unknown" if the files have a text that is no template: the prompt goes in as it is then;
                                 zero-terminated. */
    int32_t n_expert;       /**< Experts of a layer; 0 for models that have none. Since version 1.1. */
    int32_t n_expert_used;  /**< Experts that a token takes. Since version 1.1. */
    uint64_t n_params_active; /**< Parameters that a token is multiplied with: of experts those that it takes. Since version 1.1. */
} alpaca_model_info;

/** Tells a model's sizes.
 *  @return ALPACA_OK, ALPACA_INVALID_ARGUMENT. */
alpaca_status alpaca_model_get_info(const alpaca_model *model, alpaca_model_info *info);

/** The value of one of the file's metadata keys as text; long arrays are shortened.
 *
 *  @param key       Zero-terminated, such as "general.name".
 *  @param buffer    Receives the text and a closing zero; may be NULL when capacity is 0.
 *  @param capacity  Bytes that buffer holds.
 *  @param needed    Receives the bytes needed, the closing zero included; may be NULL.
 *  @return ALPACA_OK, ALPACA_NOT_FOUND, ALPACA_BUFFER_TOO_SMALL, ALPACA_INVALID_ARGUMENT. */
alpaca_status alpaca_model_metadata(const alpaca_model *model, const char *key, char *buffer, size_t capacity, size_t *needed);

/** Everything about an open model as a JSON object: hyperparameters, tensor types, tokenizer, template and why it was chosen, metadata.
 *  @param json  Receives the text, to be freed by alpaca_string_free; NULL on failure.
 *  @return ALPACA_OK, ALPACA_INVALID_ARGUMENT. */
alpaca_status alpaca_model_describe(const alpaca_model *model, alpaca_string **json);

/** A chat template's text in Jinja2, as the model's files have it; where only a name or the vocabulary tells the template, the text that says the
 *  same.
 *
 *  @param name  NULL: the one that prompts get; else one for a special use, such as "tool_use", or a known one.
 *  @param text  Receives the text, to be freed by alpaca_string_free; NULL on failure.
 *  @return ALPACA_OK, ALPACA_NOT_FOUND when there is none, ALPACA_OUT_OF_MEMORY, ALPACA_INVALID_ARGUMENT. Since version 1.1. */
alpaca_status alpaca_model_chat_template(const alpaca_model *model, const char *name, alpaca_string **text);

/** What a conversation is rendered with. Since version 1.1. */
typedef struct alpaca_render_params {
    size_t struct_size;             /**< sizeof(alpaca_render_params). */
    const char *template_name;      /**< As in alpaca_generation_params. */
    const char *template_text;      /**< As there. */
    const char *system;             /**< As there. */
    const char *tools;              /**< As there. */
    const char *documents;          /**< As there. */
    const char *variables;          /**< As there. */
    int64_t time;                   /**< As template_time there. */
    int32_t add_generation_prompt;  /**< 1 (default): the beginning of the assistant's answer follows the last message. */
    int32_t continue_final_message; /**< 1: the prompt stops where the last message does, so that it can be continued. Default 0. */
    int32_t add_bos;                /**< 1: the ids begin with the token that begins a text where the model wants one and the template does
                                         not write it, as in alpaca_session_chat; 0 (default): what the template writes, as in
                                         transformers. */
    int32_t reserved;               /**< 0. */
} alpaca_render_params;

/** Fills in the defaults. `size` is sizeof(alpaca_render_params).
 *  @return ALPACA_OK, ALPACA_INVALID_ARGUMENT. Since version 1.1. */
alpaca_status alpaca_render_params_init(alpaca_render_params *params, size_t size);

/** What a conversation becomes by the model's chat template: the text, and its tokens. Names of special tokens are those where the template
 *  writes them; in what the caller wrote they are text.
 *
 *  A template is a program: one that loops for too long, or takes too much memory, gets ALPACA_UNSUPPORTED or ALPACA_OUT_OF_MEMORY.
 *
 *  @param messages  A JSON array of messages as in OpenAI's interface, `[{"role": "user", "content": "..."}]`: any role, a content that is a text
 *                   or a list of parts, and whatever else the template knows (tool_calls, reasoning_content, ...).
 *  @param length    Its bytes, or ALPACA_NUL_TERMINATED.
 *  @param params    NULL for the defaults.
 *  @param text      Receives the text, to be freed by alpaca_string_free; NULL on failure.
 *  @param ids       Receives the ids; may be NULL when capacity is 0.
 *  @param capacity  Ids that `ids` holds.
 *  @param n         Receives their number, also when the buffer is too small. NULL: the text alone is wanted.
 *  @return ALPACA_OK, ALPACA_BUFFER_TOO_SMALL, ALPACA_INVALID_ARGUMENT (also for what the template itself says against the conversation),
 *          ALPACA_UNSUPPORTED, ALPACA_OUT_OF_MEMORY, ALPACA_BAD_FORMAT (a template of the model's files can't be read). Since version 1.1. */
alpaca_status alpaca_model_render_chat(const alpaca_model *model, const char *messages, size_t length, const alpaca_render_params *params,
                                       alpaca_string **text, int32_t *ids, size_t capacity, size_t *n);

/** What is in a file or folder, as a JSON object: `kind` is "model", "adapter", "tokenizer", "importance_matrix" or "weights"; the content
 *  decides. Of a model it has what alpaca_model_describe gives. What can be read but not used is described too: `problem` then says why.
 *  @return ALPACA_OK, ALPACA_NOT_FOUND, ALPACA_IO, ALPACA_BAD_FORMAT, ALPACA_UNSUPPORTED, ALPACA_TRUNCATED, ALPACA_MISSING, ALPACA_UNSAFE,
 *          ALPACA_OUT_OF_MEMORY, ALPACA_INVALID_ARGUMENT. */
alpaca_status alpaca_inspect(const char *path, alpaca_string **json);

/** The model's tokenizer. It belongs to the model: valid until the model's last alpaca_model_free, not to be freed. NULL for a bad handle. */
const alpaca_tokenizer *alpaca_model_tokenizer(const alpaca_model *model);

/* ---- Tokenizers ---------------------------------------------------------------------------------------------------------------------- */

/** Flags of alpaca_tokenize. */
typedef enum alpaca_tokenize_flag {
    ALPACA_ADD_BOS = 1,      /**< Begin with the token that begins a text. */
    ALPACA_ADD_EOS = 2,      /**< End with the token that ends a text. */
    ALPACA_PARSE_SPECIAL = 4 /**< Names of control tokens ("</s>") in the text are those tokens. Never for what a user typed. */
} alpaca_tokenize_flag;

/** Special tokens. */
typedef enum alpaca_special_token {
    ALPACA_TOKEN_BOS = 0, /**< Begins a text. */
    ALPACA_TOKEN_EOS = 1, /**< Ends a text. */
    ALPACA_TOKEN_UNK = 2, /**< Stands for what is unknown. */
    ALPACA_TOKEN_PAD = 3, /**< Fills up. */
    ALPACA_TOKEN_EOT = 4  /**< Ends a turn. */
} alpaca_special_token;

/** Opens a sentencepiece tokenizer.model, the one in a folder, or the tokenizer of a model's file.
 *  @param out  Receives the tokenizer, to be freed by alpaca_tokenizer_free; NULL on failure.
 *  @return ALPACA_OK, ALPACA_NOT_FOUND, ALPACA_IO, ALPACA_BAD_FORMAT, ALPACA_UNSUPPORTED, ALPACA_TRUNCATED, ALPACA_MISSING,
 *          ALPACA_OUT_OF_MEMORY, ALPACA_INVALID_ARGUMENT. */
alpaca_status alpaca_tokenizer_open(const char *path, alpaca_tokenizer **out);

/** Frees a tokenizer that was opened or made. NULL does nothing; a model's own is left alone. */
void alpaca_tokenizer_free(alpaca_tokenizer *tokenizer);

/** Tokens in the vocabulary; 0 for a bad handle. */
size_t alpaca_tokenizer_size(const alpaca_tokenizer *tokenizer);

/** The tokens of a text: the ids that sentencepiece gives. Bytes that are not UTF-8 count as U+FFFD.
 *
 *  @param text      The text; may be NULL when length is 0.
 *  @param length    Its bytes, or ALPACA_NUL_TERMINATED.
 *  @param flags     Values of alpaca_tokenize_flag, or-ed.
 *  @param ids       Receives the ids; may be NULL when capacity is 0.
 *  @param capacity  Ids that `ids` holds.
 *  @param n         Receives their number, also when the buffer is too small.
 *  @return ALPACA_OK, ALPACA_BUFFER_TOO_SMALL, ALPACA_INVALID_ARGUMENT, ALPACA_OUT_OF_MEMORY. */
alpaca_status alpaca_tokenize(const alpaca_tokenizer *tokenizer, const char *text, size_t length, uint32_t flags, int32_t *ids,
                              size_t capacity, size_t *n);

/** The text of tokens, without control tokens and without the blank that begins a text: what sentencepiece decodes.
 *
 *  @param ids       `n` ids, each 0 ... alpaca_tokenizer_size() - 1.
 *  @param buffer    Receives the text and a closing zero; may be NULL when capacity is 0.
 *  @param needed    Receives the bytes needed, the closing zero included; may be NULL.
 *  @return ALPACA_OK, ALPACA_BUFFER_TOO_SMALL, ALPACA_INVALID_ARGUMENT. */
alpaca_status alpaca_detokenize(const alpaca_tokenizer *tokenizer, const int32_t *ids, size_t n, char *buffer, size_t capacity,
                                size_t *needed);

/** A token's piece as the vocabulary has it, with U+2581 for blanks. Buffer as in alpaca_detokenize.
 *  @return as alpaca_detokenize. */
alpaca_status alpaca_token_piece(const alpaca_tokenizer *tokenizer, int32_t id, char *buffer, size_t capacity, size_t *needed);

/** The id of a special token.
 *  @param which  An alpaca_special_token.
 *  @return ALPACA_OK, ALPACA_NOT_FOUND when the vocabulary has none, ALPACA_INVALID_ARGUMENT. */
alpaca_status alpaca_token_special(const alpaca_tokenizer *tokenizer, int32_t which, int32_t *id);

/** What kind of token a piece is. The numbers are those of sentencepiece and of GGUF. */
typedef enum alpaca_piece_kind {
    ALPACA_PIECE_DEFAULT = 0,      /**< None is written into the file, which means normal. */
    ALPACA_PIECE_NORMAL = 1,       /**< Text. */
    ALPACA_PIECE_UNKNOWN = 2,      /**< Stands for what is unknown. */
    ALPACA_PIECE_CONTROL = 3,      /**< Begins or ends a text and the like; never found in text. */
    ALPACA_PIECE_USER_DEFINED = 4, /**< Text that is always one token. */
    ALPACA_PIECE_UNUSED = 5,       /**< Never used. */
    ALPACA_PIECE_BYTE = 6          /**< One byte, "<0x0A>". */
} alpaca_piece_kind;

/** Makes a tokenizer of `base` and the pieces of another tokenizer.model that it lacks: they go behind its own, in their order, with score 0.
 *  So the tokenizers of Chinese-LLaMA were made, and so they are made again, to the byte.
 *
 *  @param base   A tokenizer that was opened from a tokenizer.model, or made of one.
 *  @param extra  Path of the other tokenizer.model, zero-terminated. Its pieces alone are taken: it may be of a kind that
 *                alpaca_tokenizer_open refuses.
 *  @param out    Receives the new tokenizer, to be freed by alpaca_tokenizer_free; NULL on failure.
 *  @return ALPACA_OK, ALPACA_NOT_FOUND, ALPACA_IO, ALPACA_BAD_FORMAT, ALPACA_UNSUPPORTED (`base` is a model's), ALPACA_INVALID_ARGUMENT. */
alpaca_status alpaca_tokenizer_merge(const alpaca_tokenizer *base, const char *extra, alpaca_tokenizer **out);

/** Makes a tokenizer of `base` and one more piece behind its own, such as the "[PAD]" (score 0, ALPACA_PIECE_DEFAULT) of Chinese-Alpaca.
 *
 *  @param piece   UTF-8 with U+2581 for blanks; `length` bytes or ALPACA_NUL_TERMINATED.
 *  @param score   A finite number.
 *  @param kind    An alpaca_piece_kind.
 *  @param out     As in alpaca_tokenizer_merge.
 *  @return ALPACA_OK, ALPACA_INVALID_ARGUMENT (also when `base` has the piece), ALPACA_UNSUPPORTED (`base` is a model's),
 *          ALPACA_BAD_FORMAT (a byte piece that is not the one that is missing). */
alpaca_status alpaca_tokenizer_add_piece(const alpaca_tokenizer *base, const char *piece, size_t length, float score, int32_t kind,
                                         alpaca_tokenizer **out);

/** Writes a tokenizer as a tokenizer.model, which appears whole or not at all: what was opened byte for byte, with what was added behind its
 *  last piece.
 *
 *  @param overwrite  1: a tokenizer.model of that name is replaced; another kind of file is refused, and so is one that the tokenizer was read
 *                    or merged from. 0: it is left alone, and the call fails.
 *  @return ALPACA_OK, ALPACA_IO, ALPACA_NOT_FOUND (no such folder), ALPACA_UNSUPPORTED (the tokenizer is a model's),
 *          ALPACA_INVALID_ARGUMENT. */
alpaca_status alpaca_tokenizer_save(const alpaca_tokenizer *tokenizer, const char *path, int32_t overwrite);

/* ---- Sessions ------------------------------------------------------------------------------------------------------------------------ */

/** One conversation with a model: what it has read and what it will say next. */
typedef struct alpaca_session alpaca_session;

/** Types of the key and value caches. */
typedef enum alpaca_cache_type {
    ALPACA_CACHE_F32 = 0, /**< 4 bytes a value. */
    ALPACA_CACHE_F16 = 1, /**< 2 bytes a value. */
    ALPACA_CACHE_Q8_0 = 8 /**< 1 byte a value and a scale for each 32; heads of whole blocks of 32. Since version 1.1. */
} alpaca_cache_type;

/** How a session scales positions, so that texts may be longer than those that the model was trained with. Since version 1.1.
 *
 *  With the last two the base of the angles follows the length of the text: each call that reads tokens (alpaca_session_append,
 *  alpaca_session_generate and alpaca_session_chat for the prompt, and each token that they write) uses for all its tokens the base of the
 *  length at its end; what was read before keeps its angles. That is what transformers makes of the same pieces with its cache. So the same
 *  text read in other pieces gives other logits once it is longer than the original context; generate and chat read a prompt as one piece
 *  then, and all of it anew. Up to the original context nothing differs from an ordinary session. */
typedef enum alpaca_rope_scaling {
    ALPACA_ROPE_SCALING_MODEL = 0,  /**< As the model's files say; where rope_scale is given, positions are divided by it instead. */
    ALPACA_ROPE_SCALING_NONE = 1,   /**< Not at all. */
    ALPACA_ROPE_SCALING_LINEAR = 2, /**< Positions are divided by rope_scale. */
    ALPACA_ROPE_SCALING_YARN = 3,   /**< YaRN by rope_scale. */
    ALPACA_ROPE_SCALING_NTK = 4,    /**< The base is multiplied by alpha^(d / (d - 2)), where d is the number of rotated components of a head
                                         and alpha is rope_alpha; without it alpha follows the length L of the text by the rule of
                                         Chinese-LLaMA-Alpaca's scripts: beyond the original context C it is 2 L / C - 1, times 1.1 where C is
                                         2048 or less. */
    ALPACA_ROPE_SCALING_DYNAMIC = 5 /**< The same with alpha = f L / C - (f - 1) beyond C, where f is rope_scale: transformers' dynamic NTK. */
} alpaca_rope_scaling;

/** What a session is made with. */
typedef struct alpaca_session_params {
    size_t struct_size; /**< sizeof(alpaca_session_params). */
    int32_t n_ctx;      /**< Positions that the session can hold; 0 (default): what the model was trained for. */
    int32_t n_batch;    /**< Tokens of this session's prompt that are computed together at most, 1 ... 4096. Default 512. While other
                             sessions of the model are called too, they are fewer, so that the others go on. The result does not depend on
                             it. */
    int32_t n_threads;  /**< Threads that compute for this session's calls, the caller's included, at most 256; 0 (default): one on each
                             physical core that the process may use. The model's sessions share them: there are as many as the session with
                             the most asks for, not the sum. Calls that are combined use the most that one of them asks for. The result does
                             not depend on it. */
    int32_t type_k;     /**< alpaca_cache_type of keys. Default ALPACA_CACHE_F16. */
    int32_t type_v;     /**< alpaca_cache_type of values. Default ALPACA_CACHE_F16. */
    int32_t reserved;   /**< 0. */
    double rope_theta;  /**< Base of the rotary angles; 0 (default): the model's. */
    double rope_scale;  /**< The factor of rope_scaling; 0 (default): the model's, or where that has none of the kind, n_ctx over the original
                             context. */
    int32_t grow_on_demand; /**< 0 (default): the memory for the keys and values of n_ctx positions is promised by alpaca_session_create, and
                                 no later call fails for want of it. 1: it is taken as positions are filled, 64 at a time. Then a call that
                                 reads tokens can give ALPACA_OUT_OF_MEMORY. Since version 1.1. */
    int32_t reserved2;      /**< 0. Since version 1.1. */
    int32_t rope_scaling;      /**< alpaca_rope_scaling. Default ALPACA_ROPE_SCALING_MODEL. An option of another kind than this one, which
                                    would have no effect, is ALPACA_INVALID_ARGUMENT. Since version 1.1. */
    int32_t rope_original_ctx; /**< Positions that the model was trained for before any scaling; 0 (default): what its files say. Since
                                    version 1.1. */
    double rope_alpha;         /**< For ALPACA_ROPE_SCALING_NTK; 0 (default): it follows the length of the text. Since version 1.1. */
    double yarn_attn_factor;   /**< What YaRN multiplies cosine and sine with; 0 (default): it follows from the factor. Since version 1.1. */
    double yarn_beta_fast;     /**< Turns over the original context from which on YaRN keeps a frequency; 0 (default): the model's, or 32.
                                    Since version 1.1. */
    double yarn_beta_slow;     /**< Turns below which it divides a frequency by the factor; 0 (default): the model's, or 1. Since version
                                    1.1. */
} alpaca_session_params;

/** Fills in the defaults. `size` is sizeof(alpaca_session_params).
 *  @return ALPACA_OK, ALPACA_INVALID_ARGUMENT. */
alpaca_status alpaca_session_params_init(alpaca_session_params *params, size_t size);

/** Begins a session. It is promised the memory for the keys and values of n_ctx positions (rounded up to 64): out of the model's cache_bytes
 *  where there is such a limit, else out of what the machine has. So no later call on it fails for want of that memory. With grow_on_demand
 *  nothing is promised here. Either way the system provides the memory in pages of 64 positions, when they are first filled: a session with
 *  a large n_ctx that holds 100 tokens takes the memory of 128. It goes back to the system when a call ends that has made the session forget
 *  tokens (alpaca_session_truncate; alpaca_session_generate and alpaca_session_chat with another beginning), and with alpaca_session_free.
 *
 *  A beginning that sessions of the model have in common is held once and read once, in whole pages: a session takes over what another one
 *  holds of the same tokens. That needs the same types of caches and the same angles. It is a copy of its own from where they differ.
 *
 *  The first session of a model starts the threads and takes the buffers that all its sessions compute with, for the largest n_batch and
 *  n_threads of them; the last one's alpaca_session_free ends them. A session with a larger n_batch or n_threads has them made anew, and
 *  waits for the calls under way to reach the end of their step.
 *
 *  @param params  NULL for the defaults.
 *  @param out     Receives the session, to be freed by alpaca_session_free; NULL on failure.
 *  @return ALPACA_OK, ALPACA_INVALID_ARGUMENT, ALPACA_OUT_OF_MEMORY, ALPACA_UNSUPPORTED. */
alpaca_status alpaca_session_create(alpaca_model *model, const alpaca_session_params *params, alpaca_session **out);

/** Frees a session. Memory for keys and values that no other session holds goes back to the system. A call that is using the session on
 *  another thread, or waits for its turn, is cancelled and keeps what it needs until it returns; calls on other sessions go on. NULL does
 *  nothing. */
void alpaca_session_free(alpaca_session *session);

/** Adds `bias` to the logit of token `id`; minus infinity forbids it. */
typedef struct alpaca_logit_bias {
    int32_t id; /**< A token of the vocabulary. */
    float bias; /**< Any number but plus infinity. */
} alpaca_logit_bias;

/** How text is written. The defaults are those of the Chinese-Alpaca project's scripts. The steps of sampling are taken in this order:
 *  logit bias, repetition penalty, presence and frequency penalty, temperature, top_k, softmax, top_p, min_p, draw. */
typedef struct alpaca_generation_params {
    size_t struct_size;       /**< sizeof(alpaca_generation_params). */
    int32_t max_new_tokens;   /**< Tokens to write at most; 0 or -1: as many as the context holds. Default 512. */
    int32_t top_k;            /**< Keeps the k likeliest tokens; 0: all. Default 40. */
    float temperature;        /**< Divides the logits; 0: always the likeliest token. Default 0.2. */
    float top_p;              /**< Keeps the likeliest tokens that share this probability, 0 ... 1; 1: all. Default 0.9. */
    float min_p;              /**< Leaves out tokens less likely than this share of the likeliest one's, 0 ... 1; 0: none. Default 0. */
    float repetition_penalty; /**< Divides positive, multiplies negative logits of tokens that occurred; 1: off. Default 1.1. */
    int32_t repeat_last_n;    /**< Tokens that the penalties look back on; 0: none, -1: all of the session's. Default 64. */
    float presence_penalty;   /**< Taken from the logit of each token that occurred. Default 0. */
    float frequency_penalty;  /**< Taken from it once for each time. Default 0. */
    int32_t use_seed;         /**< 1: draw from `seed`; 0 (default): go on with the session's own random numbers, which no seed touches. */
    uint64_t seed;            /**< The same seed draws the same tokens: what is drawn at a position depends on the seed, the position, the
                                   logits, these parameters and the tokens that the penalties look back on, and on nothing else. So equal
                                   arguments give equal answers in a fresh session and in a used one, whatever it read or wrote before, with
                                   any n_threads and n_batch, alone or in alpaca_sessions_step; and a loop of alpaca_session_append and
                                   alpaca_session_sample draws what alpaca_session_generate and alpaca_session_chat draw. After a context
                                   shift positions count on as if nothing had been forgotten, so no draw is repeated. It holds for one
                                   version of the library. */
    const char *const *stop;  /**< Texts (zero-terminated) at which the answer ends, not part of it; NULL for none (default). */
    size_t n_stop;            /**< Their number, at most 64; each has at most 1024 bytes. */
    const alpaca_logit_bias *logit_bias; /**< Changes of logits; NULL for none (default). */
    size_t n_logit_bias;                 /**< Their number, at most 1048576. */
    const char *template_name; /**< The prompt's template: NULL (default) or "auto": the model's own; "none": the prompt goes in as it is;
                                    else a name, in any case:
                                    "alpaca", "alpaca-training", "alpaca-gradio", "alpaca-server", "alpaca-server-chat", "alpaca-2",
                                    "alpaca-3"; or the name of one that the model's files have for a special use, such as "tool_use". */
    const char *system;        /**< System text of a prompt, and of a conversation without a system message of its own; without a template it
                                    is the first line. NULL (default): the template's own. */
    int32_t n_probs;           /**< Likeliest tokens to report with each token, 0 ... 100. Default 0. */
    int32_t context_shift;     /**< When the context is full: 0 (default): end with ALPACA_FINISH_CONTEXT_FULL; 1: keep the first n_keep
                                    tokens, forget the older half of the rest, and go on. A conversation that does not fit
                                    (alpaca_session_chat) gives ALPACA_CONTEXT_FULL with 0; with 1 its oldest turns are left out of the
                                    prompt, the system text and the last message stay. */
    int32_t n_keep;            /**< First tokens that a shift keeps; -1 (default): the prompt. */
    int32_t ignore_eos;        /**< 1: go on when the model ends its answer. Default 0. */
    const char *template_text; /**< A template in Jinja2 in place of the model's; template_name is NULL then. NULL (default): none. Since
                                    version 1.1, as all that follows. */
    const char *tools;         /**< What the model may call: a JSON array of functions, for templates that know them. A template that the
                                    model's files have for "tool_use" is taken then. NULL (default): none. */
    const char *documents;     /**< Texts that the model may quote: a JSON array of objects. NULL (default): none. */
    const char *variables;     /**< Further variables of the template: a JSON object such as {"enable_thinking": false}. NULL (default):
                                    none. */
    int64_t template_time;     /**< The time that a template is told which asks for it, in seconds since 1970, UTC; 0 (default): the
                                    system's. */
    int32_t continue_final_message; /**< 1: the last message is the assistant's, and the model goes on writing it. Default 0. */
    int32_t show_special;      /**< 1: special tokens of the answer are shown by their names. Default 0. */
} alpaca_generation_params;

/** Fills in the defaults. `size` is sizeof(alpaca_generation_params).
 *  @return ALPACA_OK, ALPACA_INVALID_ARGUMENT. */
alpaca_status alpaca_generation_params_init(alpaca_generation_params *params, size_t size);

/** Why a text ended. */
typedef enum alpaca_finish_reason {
    ALPACA_FINISH_END_OF_SEQUENCE = 0, /**< The model ended its answer. */
    ALPACA_FINISH_STOP_STRING = 1,     /**< A stop text was met. */
    ALPACA_FINISH_LENGTH = 2,          /**< max_new_tokens were written. */
    ALPACA_FINISH_CONTEXT_FULL = 3,    /**< The context is full. */
    ALPACA_FINISH_CALLBACK = 4,        /**< The callback said so. */
    ALPACA_FINISH_CANCELLED = 5        /**< alpaca_session_cancel was called. */
} alpaca_finish_reason;

/** How a call that wrote text ended. */
typedef struct alpaca_generation_result {
    size_t struct_size;     /**< In: sizeof(alpaca_generation_result). Out: bytes that the library filled. */
    int32_t finish_reason;  /**< An alpaca_finish_reason. */
    int32_t reserved;       /**< 0. */
    uint64_t n_prompt;      /**< Tokens of the prompt. */
    uint64_t n_cached;      /**< Those of them that needed not be read: the session had read them before, or they were held for another
                                 session of the model, which depends on what else the program does. */
    uint64_t n_generated;   /**< Tokens written; the one that ends the answer is not counted. */
    uint64_t prompt_ns;     /**< Nanoseconds for reading the prompt. */
    uint64_t generation_ns; /**< Nanoseconds for writing. */
    uint64_t n_left_out;    /**< alpaca_session_chat with context_shift: messages at the conversation's beginning that did not fit and were left
                                 out of the prompt; neighbours of one role count as one. Since version 1.1. */
} alpaca_generation_result;

/** A token that may come next. */
typedef struct alpaca_candidate {
    int32_t id;    /**< The token. */
    float logprob; /**< Natural logarithm of the model's own probability, before temperature, penalties and cuts. */
} alpaca_candidate;

/** A token that was just written. Valid during the callback. */
typedef struct alpaca_token_event {
    size_t struct_size;                 /**< Bytes that the library filled. */
    int32_t id;                         /**< The token. */
    int32_t index;                      /**< 0 for the answer's first. */
    const char *text;                   /**< What became whole: UTF-8, whole characters, not zero-terminated; may be empty. */
    size_t text_length;                 /**< Its bytes. */
    float logprob;                      /**< Logarithm of the model's own probability of the token; NaN unless n_probs is above 0. */
    int32_t reserved;                   /**< 0. */
    const alpaca_candidate *candidates; /**< The likeliest tokens, likeliest first; NULL unless n_probs is above 0. */
    size_t n_candidates;                /**< Their number. */
} alpaca_token_event;

/** Called after each token, and once more with the last token's id when text was held back at the end. A result other than 0 ends the answer
 *  (ALPACA_FINISH_CALLBACK). */
typedef int32_t (*alpaca_token_callback)(const alpaca_token_event *event, void *user_data);

/** Answers a prompt (with a template) or continues a text (without). What the session has read of the same beginning is used again, the rest
 *  is forgotten.
 *
 *  @param prompt     UTF-8; `length` bytes or ALPACA_NUL_TERMINATED.
 *  @param params     NULL for the defaults.
 *  @param callback   Called for each token; may be NULL.
 *  @param user_data  Handed to callback.
 *  @param result     Receives how it ended; set its struct_size; may be NULL.
 *  @return ALPACA_OK (also when cancelled: see finish_reason), ALPACA_CONTEXT_FULL when the prompt does not fit, ALPACA_BUSY,
 *          ALPACA_INVALID_ARGUMENT, ALPACA_UNSUPPORTED, ALPACA_OUT_OF_MEMORY (with grow_on_demand also while text is written: the session then
 *          holds what was read and written before), ALPACA_BAD_FORMAT when the model computes logits of which none is a number. */
alpaca_status alpaca_session_generate(alpaca_session *session, const char *prompt, size_t length, const alpaca_generation_params *params,
                                      alpaca_token_callback callback, void *user_data, alpaca_generation_result *result);

/** Who says a message. */
typedef enum alpaca_role {
    ALPACA_ROLE_SYSTEM = 0,   /**< Takes the place of the template's own system text; first message only. */
    ALPACA_ROLE_USER = 1,     /**< The person. */
    ALPACA_ROLE_ASSISTANT = 2, /**< The model. */
    ALPACA_ROLE_TOOL = 3      /**< What a tool answered, for templates in Jinja2. Since version 1.1. */
} alpaca_role;

/** One message of a conversation. The layout of this struct never changes: it is used in arrays. */
typedef struct alpaca_message {
    int32_t role;        /**< An alpaca_role. */
    int32_t reserved;    /**< 0. */
    const char *content; /**< UTF-8. */
    size_t length;       /**< Its bytes, or ALPACA_NUL_TERMINATED. */
} alpaca_message;

/** Writes the assistant's answer to the last message of a conversation. Give the whole conversation each time: what the session has read of
 *  it is not read again. The prompt depends on the messages alone; where an answer's text is other tokens than those it was written with, it
 *  is read again from there on (n_cached tells). Parameters and results as alpaca_session_generate. A template in Jinja2 gets the messages as
 *  they are; for those that have a name here two messages of one role in a row count as one, with a line end between them; without a template
 *  the messages are the lines of a text. A call that fails leaves what the session holds as it was.
 *
 *  @param messages  `n` messages. A system message, if there is one, is the first; with a template the last one is the user's (or a tool's).
 *  @return as alpaca_session_generate. */
alpaca_status alpaca_session_chat(alpaca_session *session, const alpaca_message *messages, size_t n, const alpaca_generation_params *params,
                                  alpaca_token_callback callback, void *user_data, alpaca_generation_result *result);

/** The same for messages in JSON, which can have more than a role and a text: see alpaca_model_render_chat. For templates in Jinja2; others take
 *  the role and the text.
 *  @return as alpaca_session_generate. Since version 1.1. */
alpaca_status alpaca_session_chat_json(alpaca_session *session, const char *messages, size_t length, const alpaca_generation_params *params,
                                       alpaca_token_callback callback, void *user_data, alpaca_generation_result *result);

/** Reads tokens after what the session holds.
 *  @return ALPACA_OK, ALPACA_CONTEXT_FULL (nothing is read then), ALPACA_CANCELLED (what was read before stays), ALPACA_BUSY,
 *          ALPACA_INVALID_ARGUMENT, ALPACA_OUT_OF_MEMORY (nothing is read then). */
alpaca_status alpaca_session_append(alpaca_session *session, const int32_t *ids, size_t n);

/** What one session reads in a step. The layout of this struct never changes: it is used in arrays. Since version 1.1. */
typedef struct alpaca_step_input {
    alpaca_session *session; /**< Who reads. */
    const int32_t *ids;      /**< `n_ids` token ids. */
    size_t n_ids;            /**< 1 or more: one to go on writing, a whole prompt to begin. */
    uint64_t reserved;       /**< 0. */
} alpaca_step_input;

/** Reads tokens in several sessions together, on one thread of the caller's: the model's weights are read from memory once for all of them.
 *  Calls on the sessions from several threads at the same time get the same from alpaca_session_append. alpaca_session_logits and
 *  alpaca_session_sample of each session then tell what follows its last token. Logits are the same as those of separate calls to the last
 *  bit, whoever else is in the step. Sessions may differ in their parameters.
 *
 *  The n_threads and n_batch of the session of inputs[0] hold for the call. More ids than n_batch are read in several batches, in the order
 *  of the inputs. Calls of other threads on other sessions of the model may be combined with this one.
 *
 *  alpaca_session_cancel of any of the sessions stops the call for all of its inputs; calls of other threads go on.
 *
 *  @param inputs  `n` inputs, 1 to 65536. Their sessions are of one model (one alpaca_model_open), each is listed once.
 *  @return ALPACA_OK, ALPACA_BUSY (a session is in use by another call), ALPACA_CONTEXT_FULL (the ids of a session do not fit),
 *          ALPACA_INVALID_ARGUMENT, ALPACA_UNSUPPORTED (reserved): no session has changed then, and the message begins with the input, as in
 *          "inputs[2].ids: ...". ALPACA_CANCELLED: each session holds what it held before, and has no logits until it reads again.
 *          ALPACA_OUT_OF_MEMORY: each session holds what it held before. Since version 1.1. */
alpaca_status alpaca_sessions_step(const alpaca_step_input *inputs, size_t n);

/** The logits for the token that follows the last position: n_vocab floats. They belong to the session and are valid until its next call.
 *  @return ALPACA_OK, ALPACA_BUSY, ALPACA_INVALID_ARGUMENT when nothing has been read since the session began or was truncated. */
alpaca_status alpaca_session_logits(const alpaca_session *session, const float **logits, size_t *n);

/** Draws the next token from the logits; it is not appended. `params` NULL for the defaults; of them only what concerns sampling is used.
 *  With use_seed it is the token that alpaca_session_generate draws at this position with this seed: see `seed` in alpaca_generation_params.
 *  Called again it draws the same.
 *  @return as alpaca_session_logits, ALPACA_UNSUPPORTED, ALPACA_BAD_FORMAT when none of them is a number. */
alpaca_status alpaca_session_sample(alpaca_session *session, const alpaca_generation_params *params, int32_t *id);

/** Forgets all positions from `n_tokens` on; when fewer are filled, none. Their memory goes back to the system, in whole pages of 64 positions
 *  and as far as no other session holds it; without grow_on_demand the session can have it again at any time.
 *  @return ALPACA_OK, ALPACA_BUSY, ALPACA_INVALID_ARGUMENT. */
alpaca_status alpaca_session_truncate(alpaca_session *session, size_t n_tokens);

/** Positions that are filled; 0 for a bad handle. */
size_t alpaca_session_position(const alpaca_session *session);

/** The tokens at the positions that are filled. `ids`, `capacity` and `n` as in alpaca_tokenize.
 *  @return ALPACA_OK, ALPACA_BUFFER_TOO_SMALL, ALPACA_BUSY, ALPACA_INVALID_ARGUMENT. */
alpaca_status alpaca_session_tokens(const alpaca_session *session, int32_t *ids, size_t capacity, size_t *n);

/** Positions that the session can hold (n_ctx); 0 for a bad handle. */
size_t alpaca_session_context_length(const alpaca_session *session);

/** Threads that the session's calls compute with (n_threads, or fewer where the system gave fewer); 0 for a bad handle. */
size_t alpaca_session_thread_count(const alpaca_session *session);

/** Asks the call that is under way on another thread, or that this callback runs in, to stop. It returns within milliseconds, also while it
 *  waits for its turn or shares a step with other sessions' calls, which goes on for them; a call that writes text returns ALPACA_OK with
 *  ALPACA_FINISH_CANCELLED. Without a call under way it does nothing. Takes no lock: a signal handler may call it. */
void alpaca_session_cancel(alpaca_session *session);

/* ---- Measures ------------------------------------------------------------------------------------------------------------------------ */

/** How perplexity is measured. */
typedef struct alpaca_perplexity_params {
    size_t struct_size;                /**< sizeof(alpaca_perplexity_params). */
    int32_t n_ctx;                     /**< Tokens of a window, 4 ... the session's n_ctx; 0 (default): the session's. */
    int32_t stride;                    /**< 0 (default): as llama-perplexity: windows side by side, the second half of each is scored.
                                            1 ... n_ctx - 1: windows begin that many tokens apart, each token is scored once. */
    alpaca_progress_callback progress; /**< Called after each window (done and total in tokens); NULL (default) for none. */
    void *user_data;                   /**< Handed to progress. */
} alpaca_perplexity_params;

/** Fills in the defaults. `size` is sizeof(alpaca_perplexity_params).
 *  @return ALPACA_OK, ALPACA_INVALID_ARGUMENT. */
alpaca_status alpaca_perplexity_params_init(alpaca_perplexity_params *params, size_t size);

/** How well a model foresees a text. */
typedef struct alpaca_perplexity_result {
    size_t struct_size;    /**< In: sizeof(alpaca_perplexity_result). Out: bytes that the library filled. */
    uint64_t n_tokens;     /**< Tokens of the text, the one that begins it included. */
    uint64_t n_windows;    /**< Windows that were read. */
    uint64_t n_scored;     /**< Tokens that were scored. */
    double mean_nll;       /**< Mean of -ln p over them. */
    double perplexity;     /**< exp(mean_nll); infinite where a token had no chance, or some logits are no numbers. */
    double standard_error; /**< Standard error of perplexity; infinite where that is. */
} alpaca_perplexity_result;

/** Measures the perplexity of a text. What the session held before is forgotten.
 *
 *  @param text    UTF-8 of more tokens than a window; `length` bytes or ALPACA_NUL_TERMINATED.
 *  @param params  NULL for the defaults.
 *  @param result  Receives the figures; set its struct_size.
 *  @return ALPACA_OK, ALPACA_CANCELLED, ALPACA_BUSY, ALPACA_INVALID_ARGUMENT, ALPACA_UNSUPPORTED, ALPACA_OUT_OF_MEMORY (also when the session
 *          grows on demand and there is no memory for a window), ALPACA_BAD_FORMAT when no logit that the model computes is a number. */
alpaca_status alpaca_perplexity(alpaca_session *session, const char *text, size_t length, const alpaca_perplexity_params *params,
                                alpaca_perplexity_result *result);

/** The forms of files that hold importance matrices. */
typedef enum alpaca_imatrix_format {
    ALPACA_IMATRIX_GGUF = 0, /**< What llama-imatrix writes since 2025. */
    ALPACA_IMATRIX_DAT = 1   /**< llama.cpp's older form. */
} alpaca_imatrix_format;

/** How an importance matrix is measured, and where it goes. */
typedef struct alpaca_imatrix_params {
    size_t struct_size;                /**< sizeof(alpaca_imatrix_params). */
    const char *output;                /**< The file to be written; it appears whole or not at all. */
    int32_t format;                    /**< alpaca_imatrix_format. Default ALPACA_IMATRIX_GGUF. */
    int32_t n_ctx;                     /**< Tokens of a chunk, 4 ... the session's n_ctx. Default 512. */
    int32_t first_chunk;               /**< Chunks of the text that are left out at its beginning. Default 0. */
    int32_t n_chunks;                  /**< Chunks that are read at most; 0 (default): all. */
    int32_t process_output;            /**< 1: the output matrix is measured too. Default 0. */
    int32_t perplexity;                /**< 1 (default): the perplexity of the text is measured along. */
    int32_t parse_special;             /**< 1: texts such as "<|eot_id|>" are the special tokens that they name. Default 0. */
    int32_t overwrite;                 /**< 1: a file under the output's name may be replaced, if it is an importance matrix that this library
                                            wrote, or of the older form. Default 0. */
    const char *dataset;               /**< What the text is called in the file; NULL (default): nothing. */
    const char *const *inputs;         /**< `n_inputs` importance matrices of the same model, of either form, that are added. */
    size_t n_inputs;                   /**< At most 1024. Default 0. */
    int32_t save_interval;             /**< The file is also written after each so many chunks; 0 (default): at the end only. */
    int32_t reserved;                  /**< 0. */
    alpaca_progress_callback progress; /**< Called several times a second where a step allows it (done and total in tokens, item the perplexity
                                            so far); NULL (default) for none. */
    void *user_data;                   /**< Handed to progress. */
} alpaca_imatrix_params;

/** Fills in the defaults. `size` is sizeof(alpaca_imatrix_params).
 *  @return ALPACA_OK, ALPACA_INVALID_ARGUMENT. */
alpaca_status alpaca_imatrix_params_init(alpaca_imatrix_params *params, size_t size);

/** Measures how much each column of the model's matrices counts for a text, as llama-imatrix does, and writes the file: for
 *  alpaca_convert_params.imatrix. What the session held before is forgotten. The file has the same bytes for any number of threads and batch.
 *
 *  @param text    UTF-8 of at least the tokens of a chunk; `length` bytes or ALPACA_NUL_TERMINATED.
 *  @param params  NULL is refused: it names no output.
 *  @param json    Receives the report, to be freed by alpaca_string_free; NULL on failure. An object: "output", "format", "datasets",
 *                 "n_chunks", "chunk_size", "n_tokens" (that were read), "n_matrices", "perplexity", "standard_error", "n_scored" (null where
 *                 it was not measured), "seconds", "warnings".
 *  @return ALPACA_OK, ALPACA_CANCELLED, ALPACA_BUSY, ALPACA_INVALID_ARGUMENT, ALPACA_UNSUPPORTED, ALPACA_OUT_OF_MEMORY, ALPACA_NOT_FOUND,
 *          ALPACA_IO, ALPACA_SHAPE_MISMATCH when an input is another model's, ALPACA_BAD_FORMAT (also when the model computes numbers that
 *          are none). */
alpaca_status alpaca_imatrix(alpaca_session *session, const char *text, size_t length, const alpaca_imatrix_params *params,
                             alpaca_string **json);

/** Adds up importance matrices of one model, those of params.inputs, and writes the file; no model is needed. Of the parameters output,
 *  format, inputs, overwrite and n_ctx count, which is the tokens of a chunk of older files.
 *
 *  @param json  Receives the report of alpaca_imatrix; NULL on failure.
 *  @return ALPACA_OK, ALPACA_INVALID_ARGUMENT, ALPACA_UNSUPPORTED, ALPACA_OUT_OF_MEMORY, ALPACA_NOT_FOUND, ALPACA_IO, ALPACA_SHAPE_MISMATCH,
 *          ALPACA_BAD_FORMAT. */
alpaca_status alpaca_imatrix_combine(const alpaca_imatrix_params *params, alpaca_string **json);

/** One speed to measure. */
typedef struct alpaca_bench_test {
    int32_t n_prompt;   /**< Tokens of a prompt that is read, at most 1048576; 0: writing is measured. */
    int32_t n_gen;      /**< Tokens that are written one after the other, at most 1048576; 0: reading is measured. One of the two is 0. */
    int32_t depth;      /**< Positions that are filled before, at most 1048576. */
    int32_t n_parallel; /**< Sequences that write together, at most 256; 0 is 1. With n_prompt it is 0 or 1. */
    int32_t n_threads;  /**< Threads, at most 256; 0: one on each core that the process may use. */
    int32_t reserved;   /**< 0. */
} alpaca_bench_test;

/** How speed is measured. */
typedef struct alpaca_bench_params {
    size_t struct_size;                /**< sizeof(alpaca_bench_params). */
    const alpaca_bench_test *tests;    /**< `n_tests` tests, at most 1024; NULL (default): a prompt of 512 tokens, and 32 tokens written. */
    size_t n_tests;                    /**< Default 0. */
    int32_t n_repetitions;             /**< Measured runs of each test, 1 ... 1000; the report has their median. Default 5. */
    int32_t n_batch;                   /**< Tokens of a prompt that are computed together, 1 ... 4096. Default 512. */
    int32_t type_k;                    /**< alpaca_cache_type of the keys. Default ALPACA_CACHE_F16. */
    int32_t type_v;                    /**< alpaca_cache_type of the values. Default ALPACA_CACHE_F16. */
    int32_t roofs;                     /**< 1 (default): the machine's limits are measured too, with 256 MB of memory or more. */
    int32_t reserved;                  /**< 0. */
    alpaca_progress_callback progress; /**< Called before each run and some ten times a second where a run allows it, on time that is not
                                            measured (done and total in runs, item is the test); NULL (default) for none. */
    void *user_data;                   /**< Handed to progress. */
} alpaca_bench_params;

/** Fills in the defaults. `size` is sizeof(alpaca_bench_params).
 *  @return ALPACA_OK, ALPACA_INVALID_ARGUMENT. */
alpaca_status alpaca_bench_params_init(alpaca_bench_params *params, size_t size);

/** Measures how fast a model reads and writes on this machine, in sessions of its own. The repetitions of all tests alternate, and between
 *  them what the machine allows is measured: bytes a second that its threads read from memory, and operations a second of the CPU path's
 *  products of bytes on registers alone, where a multiplication and an addition count as two.
 *
 *  @param params  NULL for the defaults.
 *  @param json    Receives the report, to be freed by alpaca_string_free; NULL on failure. An object: "model", "quantization", "model_bytes",
 *                 "n_params", "version", "cpu_path", "cpu" (or null), "n_batch", "type_k", "type_v"; "roofs" has for each number of threads,
 *                 1 among them, "n_threads", "read_bytes_per_second", "integer_ops_per_second" (the best) and "read_samples",
 *                 "integer_samples" (one a repetition); "rows" has for each test, in order, "test" (such as "pp512", "tg32 x 4 @ 4096"),
 *                 "n_prompt", "n_gen", "depth", "n_threads", "n_parallel", "tokens_per_second" (one number a repetition, of all sequences
 *                 together), "median_tokens_per_second", "roof" ("read" or "integer": what limits it; null for prompts of float models),
 *                 "bytes_per_token", "operations_per_token" (what that limit is asked for, or null) and "share", that of the median of the
 *                 limit (null where it was not measured). Of a limit counts the best that the run saw, of the meter or of a test, so that no
 *                 disturbance makes a share too high; it is above 1 only where caches serve the weights.
 *  @return ALPACA_OK, ALPACA_CANCELLED, ALPACA_INVALID_ARGUMENT, ALPACA_UNSUPPORTED, ALPACA_OUT_OF_MEMORY. */
alpaca_status alpaca_bench(alpaca_model *model, const alpaca_bench_params *params, alpaca_string **json);

/* ---- Files ------------------------------------------------------------------------------------------------------------------------------ */

/** How files are verified. */
typedef struct alpaca_verify_params {
    size_t struct_size;                /**< sizeof(alpaca_verify_params). */
    int32_t n_threads;                 /**< Files hashed at the same time, at most 256; 0 (default): one on each core. */
    int32_t fail_on_difference;        /**< 1: ALPACA_VERIFICATION_FAILED when a file is not what its name says. Default 0. */
    alpaca_progress_callback progress; /**< Called some fifty times a second (done and total in bytes); NULL (default) for none. */
    void *user_data;                   /**< Handed to progress. */
} alpaca_verify_params;

/** Fills in the defaults. `size` is sizeof(alpaca_verify_params).
 *  @return ALPACA_OK, ALPACA_INVALID_ARGUMENT. */
alpaca_status alpaca_verify_params_init(alpaca_verify_params *params, size_t size);

/** Hashes files (SHA-256) and says which published file each of them is: the original LLaMA, the tokenizers, adapters and merged models of
 *  Chinese-LLaMA-Alpaca.
 *
 *  @param paths   `n` zero-terminated paths of files, of folders whose files are taken, or names on the hub.
 *  @param params  NULL for the defaults.
 *  @param json    Receives the report, to be freed by alpaca_string_free; NULL on failure, ALPACA_VERIFICATION_FAILED excepted. An object:
 *                 "ok" is false when a file's name says that it is a published one and its hash is another's; "files" has for each file its
 *                 "path", "size", "sha256", "status" ("known", "differs", "unknown"), "identity" (the published file of that hash, or null),
 *                 "expected" (the one that its name says, where that is another, or null) and "verdict", a sentence; of a file of
 *                 a model of the family also "model" and "needs", the models that an adapter needs.
 *  @return ALPACA_OK, ALPACA_VERIFICATION_FAILED, ALPACA_NOT_FOUND, ALPACA_IO, ALPACA_MISSING (no files in the folders), ALPACA_CANCELLED,
 *          ALPACA_INVALID_ARGUMENT, ALPACA_UNSUPPORTED. */
alpaca_status alpaca_verify(const char *const *paths, size_t n, const alpaca_verify_params *params, alpaca_string **json);

/* ---- Conversion -------------------------------------------------------------------------------------------------------------------------- */

/** A LoRA adapter. */
typedef struct alpaca_adapter_source {
    const char *path; /**< A PEFT folder, a zip of one, or a name on the hub; zero-terminated. */
    double scale;     /**< What its change is multiplied with; 1 is what it was trained for. */
} alpaca_adapter_source;

/** The type of tensors by their names. */
typedef struct alpaca_type_override {
    const char *pattern; /**< A name in the GGUF file, `*` and `?` stand for any text and any character; zero-terminated. */
    const char *type;    /**< A tensor type such as "Q6_K"; zero-terminated. */
} alpaca_type_override;

/** What a conversion writes. */
typedef enum alpaca_output_format {
    ALPACA_FORMAT_GGUF = 0,   /**< One GGUF file, version 3. */
    ALPACA_FORMAT_HF = 1,     /**< A Hugging Face folder with safetensors. */
    ALPACA_FORMAT_HF_BIN = 2, /**< A Hugging Face folder with pytorch_model-*.bin. */
    ALPACA_FORMAT_PTH = 3     /**< A Meta folder: consolidated.NN.pth and params.json. */
} alpaca_output_format;

/** How often a merged matrix is rounded to its type. */
typedef enum alpaca_merge_rounding {
    ALPACA_ROUNDING_DEFAULT = 0, /**< ONCE for HF_BIN and PTH, whose files have published hashes, EACH for the others. */
    ALPACA_ROUNDING_EACH = 1,    /**< As PEFT's merge_and_unload: the product of the two small matrices is rounded, then the sum. */
    ALPACA_ROUNDING_ONCE = 2     /**< As the low-memory script of Chinese-LLaMA-Alpaca: the sum alone is. */
} alpaca_merge_rounding;

/** In what merged matrices are kept until they are written. */
typedef enum alpaca_merge_precision {
    ALPACA_PRECISION_BASE = 0, /**< The type that the base has them in. */
    ALPACA_PRECISION_F32 = 1   /**< F32: nothing is rounded before the output's own type. */
} alpaca_merge_precision;

/** What is to be made of what. */
typedef struct alpaca_convert_params {
    size_t struct_size;                    /**< sizeof(alpaca_convert_params). */
    const char *base;                      /**< The base: a Meta or Hugging Face folder, a GGUF or older llama.cpp file, a name on the hub. */
    const alpaca_adapter_source *adapters;        /**< `n_adapters` adapters, applied in this order. */
    size_t n_adapters;                     /**< Default 0. */
    const char *tokenizer;                 /**< A tokenizer.model in place of the last adapter's or the base's; NULL (default): theirs. */
    const char *output;                    /**< The file or, unless it is GGUF, the folder to be written. */
    int32_t format;                        /**< alpaca_output_format. Default ALPACA_FORMAT_GGUF. */
    int32_t rounding;                      /**< alpaca_merge_rounding. Default ALPACA_ROUNDING_DEFAULT. */
    int32_t precision;                     /**< alpaca_merge_precision. Default ALPACA_PRECISION_BASE. */
    int32_t n_threads;                     /**< At most 256; 0 (default): one on each core that the process may use. */
    const char *quantization;              /**< A type or mix such as "Q4_K_M" or "F16", in any case; NULL (default): as the base is. */
    const alpaca_type_override *overrides; /**< `n_overrides` of them; a tensor takes the type of the first whose pattern matches. One
                                                that matches no matrix is an error. */
    size_t n_overrides;                    /**< Default 0. */
    const char *imatrix;                   /**< An importance matrix of alpaca_imatrix or llama-imatrix (GGUF or .dat); NULL (default): none. */
    const char *name;                      /**< The model's name in the output; NULL (default): the last adapter's or the base's. */
    uint64_t shard_size;                   /**< Hugging Face folders: bytes of a file at most; 0 (default): 10 GB, or as the base is. */
    int32_t n_shards;                      /**< Meta folders: files; 0 (default): as Meta cut models of that width. */
    int32_t pure;                          /**< 1: one type for every matrix, the embeddings and the output too. Default 0. */
    int32_t overwrite;                     /**< 1: what stands under the output's name may be replaced, if a conversion wrote it; a
                                                file or folder with anything else is refused. Default 0. */
    int32_t check;                         /**< 1 (default): the rules of the family are checked (tokenizers, order of adapters). */
    int32_t verify_base;                   /**< 1: the base's files are hashed and compared with the published list too. Default 0. */
    int32_t hash_output;                   /**< 1: the output's files are hashed when they are written. Default 0. */
    alpaca_progress_callback progress;     /**< Called some fifty times a second with the stage, the tensor, bytes done and in all. */
    void *user_data;                       /**< Handed to progress. */
    int32_t allow_nonfinite;               /**< 1: weights that are infinite or NaN are written, with a warning; 0 (default): an error. Quantized
                                                types can't hold them: there it stays one, and scales beyond binary16's are cut to it. Scores
                                                of pieces are no weights: there it is always an error. */
} alpaca_convert_params;

/** Fills in the defaults. `size` is sizeof(alpaca_convert_params).
 *  @return ALPACA_OK, ALPACA_INVALID_ARGUMENT. */
alpaca_status alpaca_convert_params_init(alpaca_convert_params *params, size_t size);

/** What a conversion did, in figures. */
typedef struct alpaca_convert_result {
    size_t struct_size;   /**< In: sizeof(alpaca_convert_result). Out: bytes that the library filled. */
    uint64_t size_bytes;  /**< Bytes written. */
    uint64_t n_merged;    /**< Tensors that adapters changed or replaced. */
    uint64_t peak_memory; /**< The most private memory that the process had meanwhile, in bytes; 0 where the system does not tell. */
    double seconds;       /**< How long it took. */
} alpaca_convert_result;

/** What alpaca_convert would do: it reads headers only and writes nothing.
 *
 *  @param json  Receives the plan, to be freed by alpaca_string_free; NULL on failure. An object: "base", "adapters" ("path", "format",
 *               "size_bytes" each), "tokenizer" ("path", "n_vocab", or null), "output", "format", "quantization", "files" ("name",
 *               "size_bytes" each), "types" ("type", "n_tensors", "size_bytes" each), "n_params", "n_merged", "size_bytes", "memory_bytes",
 *               "free_bytes" (or null), "models" (the published models that inputs and output are: "path", "name", "hub" (or null), "needs",
 *               "text" each), "warnings".
 *  @return ALPACA_OK, ALPACA_NOT_FOUND, ALPACA_IO, ALPACA_BAD_FORMAT, ALPACA_UNSUPPORTED, ALPACA_TRUNCATED, ALPACA_SHAPE_MISMATCH,
 *          ALPACA_MISSING, ALPACA_UNSAFE, ALPACA_OUT_OF_MEMORY, ALPACA_INVALID_ARGUMENT: what can be known before is found here too. */
alpaca_status alpaca_convert_plan(const alpaca_convert_params *params, alpaca_string **json);

/** Merges, converts and quantizes in one pass, some rows at a time. The output appears whole or not at all: after an error, a cancelled call
 *  or the end of the process what stood in its place is as it was, and what was left half done is removed by the next call.
 *
 *  @param result  Receives the figures; set its struct_size. May be NULL.
 *  @param json    Receives the report: the plan's object with "written_bytes", "seconds", "peak_memory" (or null) and "hashes" ("path",
 *                 "sha256", "published" (or null) each; none without hash_output). To be freed by alpaca_string_free; NULL on failure. May be NULL.
 *  @return ALPACA_OK, ALPACA_NOT_FOUND, ALPACA_IO, ALPACA_BAD_FORMAT, ALPACA_UNSUPPORTED, ALPACA_TRUNCATED, ALPACA_SHAPE_MISMATCH,
 *          ALPACA_MISSING, ALPACA_UNSAFE, ALPACA_OUT_OF_MEMORY, ALPACA_CANCELLED, ALPACA_VERIFICATION_FAILED, ALPACA_INVALID_ARGUMENT. */
alpaca_status alpaca_convert(const alpaca_convert_params *params, alpaca_convert_result *result, alpaca_string **json);

#ifdef __cplusplus
}
#endif
#endif /* ALPACA_H */
