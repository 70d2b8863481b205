/* A sample of a C extension of Python that uses libalpaca; copy what you need.
 *
 *     import alpaca_sample
 *     writer = alpaca_sample.Writer("model.gguf")
 *     writer.generate("写一首五言绝句", lambda id, text: print(text, end=""), max_new_tokens=64, temperature=0)
 *
 * What it shows:
 * - the limited API: one wheel for Python 3.9 and later;
 * - the GIL is released while the model works, on a thread of its own, and taken again for each token's Python function;
 * - Ctrl-C is heard at any time, also while a long prompt is read;
 * - an exception in that function ends the writing and is raised by generate();
 * - errors of the library become exceptions with its message.
 */
#define _GNU_SOURCE
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <alpaca.h>

/* ---- Errors -------------------------------------------------------------------------------------------------------------------------- */

/* Raises what the library says about a call that failed, as the exception that fits. Returns NULL. alpaca_last_error() is the message of the
 * thread that called: no other call of the library may come between there. */
static PyObject *raise_error(alpaca_status status, const char *message) {
    PyObject *type = PyExc_RuntimeError;
    switch (status) {
    case ALPACA_INVALID_ARGUMENT: type = PyExc_ValueError; break;
    case ALPACA_NOT_FOUND: type = PyExc_FileNotFoundError; break;
    case ALPACA_IO: type = PyExc_OSError; break;
    case ALPACA_OUT_OF_MEMORY: type = PyExc_MemoryError; break;
    default: break;
    }
    PyErr_SetString(type, message);
    return NULL;
}

/* ---- Writer: a model and one conversation with it ------------------------------------------------------------------------------------- */

typedef struct Writer {
    PyObject_HEAD
    alpaca_session *session;
} Writer;

static PyObject *Writer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"path", "n_threads", NULL};
    PyObject *path = NULL;
    int n_threads = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O&|i:Writer", names, PyUnicode_FSConverter, &path, &n_threads)) return NULL;

    alpaca_session_params params;
    alpaca_model *model = NULL;
    alpaca_session *session = NULL;
    alpaca_status status = alpaca_session_params_init(&params, sizeof params);
    params.n_threads = n_threads;
    const char *name = PyBytes_AsString(path);
    /* Opening may wait for a disk: other threads of Python go on meanwhile. */
    Py_BEGIN_ALLOW_THREADS
    if (status == ALPACA_OK) status = alpaca_model_open(name, NULL, &model);
    if (status == ALPACA_OK) status = alpaca_session_create(model, &params, &session);
    alpaca_model_free(model); /* the session keeps what it needs */
    Py_END_ALLOW_THREADS
    Py_DECREF(path);
    if (status != ALPACA_OK) return raise_error(status, alpaca_last_error());

    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Writer *self = (Writer *)allocate(type, 0);
    if (self == NULL) {
        alpaca_session_free(session);
        return NULL;
    }
    self->session = session;
    return (PyObject *)self;
}

static void Writer_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    alpaca_session_free(((Writer *)object)->session);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF(type); /* instances of heap types hold their type */
}

/* ---- One call ------------------------------------------------------------------------------------------------------------------------- */

/* The library works on a thread of its own, so that the caller's can look for signals at any time: Python runs their handlers on the main
 * thread alone, and while a long prompt is read no token would come to look at. The function runs on the caller's thread. */
typedef struct Call {
    alpaca_session *session;
    const char *prompt;
    size_t length;
    const alpaca_generation_params *params;

    pthread_mutex_t mutex; /* for what follows */
    pthread_cond_t changed;
    const alpaca_token_event *event; /* a token that the function has not been told of */
    int stops;                       /* whether the answer is to end */
    int ended;
    alpaca_status status;
    alpaca_generation_result result;
    char *message; /* the error's, a copy: the library keeps it by thread */
} Call;

/* Called by the library on the thread that called it. A result other than 0 ends the writing. */
static int32_t on_token(const alpaca_token_event *event, void *user_data) {
    Call *call = user_data;
    pthread_mutex_lock(&call->mutex);
    call->event = event;
    pthread_cond_broadcast(&call->changed);
    while (call->event != NULL && !call->stops) pthread_cond_wait(&call->changed, &call->mutex);
    call->event = NULL; /* it is not valid any longer */
    int stops = call->stops;
    pthread_mutex_unlock(&call->mutex);
    return stops;
}

static void *run(void *user_data) {
    Call *call = user_data;
    alpaca_status status =
        alpaca_session_generate(call->session, call->prompt, call->length, call->params, on_token, call, &call->result);
    pthread_mutex_lock(&call->mutex);
    call->status = status;
    call->message = status == ALPACA_OK ? NULL : strdup(alpaca_last_error());
    call->ended = 1;
    pthread_cond_broadcast(&call->changed);
    pthread_mutex_unlock(&call->mutex);
    return NULL;
}

/* Waits, without the GIL, for a token or the end, 50 ms at most. Returns a token's event, which stays valid until it is answered. */
static const alpaca_token_event *wait_for_token(Call *call, int *ended) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 50 * 1000 * 1000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    PyThreadState *thread = PyEval_SaveThread();
    pthread_mutex_lock(&call->mutex);
    while (call->event == NULL && !call->ended && pthread_cond_timedwait(&call->changed, &call->mutex, &until) == 0) continue;
    const alpaca_token_event *event = call->event;
    *ended = call->ended;
    pthread_mutex_unlock(&call->mutex);
    PyEval_RestoreThread(thread);
    return event;
}

/* Lets the library go on, or ends the answer. */
static void answer(Call *call, int stops) {
    pthread_mutex_lock(&call->mutex);
    call->event = NULL;
    call->stops = stops;
    pthread_cond_broadcast(&call->changed);
    pthread_mutex_unlock(&call->mutex);
}

/* Tells the function of each token and looks for signals until the call has ended. Returns whether an exception is set: what the function
 * raised, or a signal's handler, as KeyboardInterrupt. */
static int attend(Call *call, PyObject *function) {
    int ended = 0, failed = 0;
    while (!ended) {
        const alpaca_token_event *event = wait_for_token(call, &ended);
        if (failed) { /* once more: a cancel before the call has begun does nothing */
            alpaca_session_cancel(call->session);
            continue;
        }
        failed = PyErr_CheckSignals() != 0;
        if (!failed && event != NULL && function != NULL) {
            PyObject *result = PyObject_CallFunction(function, "is#", (int)event->id, event->text, (Py_ssize_t)event->text_length);
            failed = result == NULL;
            Py_XDECREF(result);
        }
        if (event != NULL || failed) answer(call, failed);
    }
    return failed;
}

/* None and -1: other random numbers each time. */
static int read_seed(PyObject *seed, alpaca_generation_params *params) {
    if (seed == Py_None) return 1;
    int overflow = 0;
    long long value = PyLong_AsLongLongAndOverflow(seed, &overflow);
    if (value == -1 && overflow == 0) return !PyErr_Occurred();
    params->seed = PyLong_AsUnsignedLongLong(seed);
    params->use_seed = 1;
    return !PyErr_Occurred();
}

static PyObject *Writer_generate(PyObject *object, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"prompt", "on_token", "max_new_tokens", "temperature", "seed", "ignore_eos", "context_shift", NULL};
    const char *prompt;
    Py_ssize_t length;
    PyObject *function = Py_None, *seed = Py_None;
    alpaca_generation_params params;
    alpaca_status status = alpaca_generation_params_init(&params, sizeof params);
    if (status != ALPACA_OK) return raise_error(status, alpaca_last_error());
    int max_new_tokens = params.max_new_tokens;
    int ignore_eos = 0, context_shift = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s#|OifOpp:generate", names, &prompt, &length, &function, &max_new_tokens,
                                     &params.temperature, &seed, &ignore_eos, &context_shift)) {
        return NULL;
    }
    params.max_new_tokens = max_new_tokens;
    params.ignore_eos = ignore_eos;
    params.context_shift = context_shift;
    if (!read_seed(seed, &params)) return NULL;

    /* `prompt` and `function` belong to the caller's arguments, which live until this returns. The session is the writer's, which the caller
     * holds. */
    Call call = {.session = ((Writer *)object)->session, .prompt = prompt, .length = (size_t)length, .params = &params,
                 .mutex = PTHREAD_MUTEX_INITIALIZER, .result = {.struct_size = sizeof call.result}};
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&call.changed, &clock);
    pthread_condattr_destroy(&clock);
    pthread_t worker;
    PyObject *result = NULL;
    int error = pthread_create(&worker, NULL, run, &call);
    if (error != 0) {
        errno = error;
        PyErr_SetFromErrno(PyExc_OSError);
    } else {
        int failed = attend(&call, function == Py_None ? NULL : function);
        pthread_join(worker, NULL); /* it has ended, but for its last steps */
        if (failed) {
            /* the exception is set */
        } else if (call.status != ALPACA_OK) {
            raise_error(call.status, call.message != NULL ? call.message : "out of memory");
        } else if (PyErr_CheckSignals() == 0) { /* else Ctrl-C behind the last token */
            result = PyLong_FromUnsignedLongLong(call.result.n_generated);
        }
        free(call.message);
    }
    pthread_cond_destroy(&call.changed);
    pthread_mutex_destroy(&call.mutex);
    return result;
}

static PyObject *Writer_cancel(PyObject *object, PyObject *unused) {
    (void)unused;
    alpaca_session_cancel(((Writer *)object)->session);
    Py_RETURN_NONE;
}

/* ---- The module ----------------------------------------------------------------------------------------------------------------------- */

static PyMethodDef writer_methods[] = {
    {"generate", (PyCFunction)(void (*)(void))Writer_generate, METH_VARARGS | METH_KEYWORDS,
     "generate(prompt, on_token=None, max_new_tokens=512, temperature=0.2, seed=None, ignore_eos=False, context_shift=False)\n--\n\n"
     "Answers `prompt`; calls on_token(id, text) for each token. Returns the number of tokens written."},
    {"cancel", Writer_cancel, METH_NOARGS, "cancel()\n--\n\nEnds the answer that another thread is waiting for."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot writer_slots[] = {
    {Py_tp_doc, "Writer(path, n_threads=0)\n--\n\nA model and one conversation with it. One thread at a time; cancel() from any."},
    {Py_tp_new, Writer_new},
    {Py_tp_dealloc, Writer_dealloc},
    {Py_tp_methods, writer_methods},
    {0, NULL},
};

static PyType_Spec writer_spec = {
    .name = "alpaca_sample.Writer",
    .basicsize = sizeof(Writer),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = writer_slots,
};

static int module_exec(PyObject *module) {
    PyObject *type = PyType_FromSpec(&writer_spec);
    if (type == NULL) return -1;
    int result = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    if (result != 0) return -1;
    return PyModule_AddStringConstant(module, "library_version", alpaca_version());
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, module_exec}, {0, NULL}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "alpaca_sample",
    .m_doc = "A sample of a C extension that uses libalpaca.",
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit_alpaca_sample(void) { return PyModuleDef_Init(&module); }
