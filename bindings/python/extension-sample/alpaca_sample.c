/* A sample of a C extension of Python that uses libalpaca; copy what you need.
 *
 *     import alpaca_sample
 *     writer = alpaca_sample.Writer("model.gguf")
 *     writer.generate("写一首五言绝句", lambda id, text: print(text, end=""), max_new_tokens=64, temperature=0)
 *
 * What it shows:
 * - the limited API: one wheel for Python 3.9 and later;
 * - the GIL is released while the model works, and taken again for each token's Python function;
 * - an exception in that function ends the writing and is raised by generate(); so is KeyboardInterrupt;
 * - errors of the library become exceptions with its message.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <alpaca.h>

/* ---- Errors -------------------------------------------------------------------------------------------------------------------------- */

/* Raises what the library says about a call that failed, as the exception that fits. Returns NULL. The message is this thread's: no other
 * call of the library may come between. */
static PyObject *raise_error(alpaca_status status) {
    PyObject *type = PyExc_RuntimeError;
    switch (status) {
    case ALPACA_INVALID_ARGUMENT: type = PyExc_ValueError; break;
    case ALPACA_NOT_FOUND: type = PyExc_FileNotFoundError; break;
    case ALPACA_IO: type = PyExc_OSError; break;
    case ALPACA_OUT_OF_MEMORY: type = PyExc_MemoryError; break;
    default: break;
    }
    PyErr_SetString(type, alpaca_last_error());
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
    if (status != ALPACA_OK) return raise_error(status);

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

/* ---- One token ------------------------------------------------------------------------------------------------------------------------ */

typedef struct Call {
    PyObject *function;    /* called with (id, text); NULL for none */
    PyThreadState *thread; /* saved while the GIL is released */
    int failed;            /* whether an exception is waiting to be raised */
} Call;

/* Called by the library on the thread that called it, without the GIL. A result other than 0 ends the writing. No exception can pass through
 * the library: it stays set in the thread's state, and generate() hands it on. */
static int32_t on_token(const alpaca_token_event *event, void *user_data) {
    Call *call = user_data;
    PyEval_RestoreThread(call->thread);
    /* Runs Python's signal handlers, if this is the main thread: Ctrl-C raises KeyboardInterrupt here. */
    call->failed = PyErr_CheckSignals() != 0;
    if (!call->failed && call->function != NULL) {
        PyObject *result = PyObject_CallFunction(call->function, "is#", (int)event->id, event->text, (Py_ssize_t)event->text_length);
        call->failed = result == NULL;
        Py_XDECREF(result);
    }
    call->thread = PyEval_SaveThread();
    return call->failed;
}

static PyObject *Writer_generate(PyObject *object, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"prompt", "on_token", "max_new_tokens", "temperature", "seed", "ignore_eos", "context_shift", NULL};
    const char *prompt;
    Py_ssize_t length;
    PyObject *function = Py_None, *seed = Py_None;
    alpaca_generation_params params;
    alpaca_status status = alpaca_generation_params_init(&params, sizeof params);
    if (status != ALPACA_OK) return raise_error(status);
    int max_new_tokens = params.max_new_tokens;
    int ignore_eos = 0, context_shift = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s#|OifOpp:generate", names, &prompt, &length, &function, &max_new_tokens,
                                     &params.temperature, &seed, &ignore_eos, &context_shift)) {
        return NULL;
    }
    params.max_new_tokens = max_new_tokens;
    params.ignore_eos = ignore_eos;
    params.context_shift = context_shift;
    if (seed != Py_None) {
        params.seed = PyLong_AsUnsignedLongLong(seed);
        if (PyErr_Occurred()) return NULL;
        params.use_seed = 1;
    }

    /* `prompt` and `function` belong to the caller's arguments, which live until this returns. */
    Call call = {.function = function == Py_None ? NULL : function};
    alpaca_generation_result result = {.struct_size = sizeof result};
    call.thread = PyEval_SaveThread();
    status = alpaca_session_generate(((Writer *)object)->session, prompt, (size_t)length, &params, on_token, &call, &result);
    PyEval_RestoreThread(call.thread);
    if (call.failed) return NULL; /* what the function raised, or KeyboardInterrupt */
    if (status != ALPACA_OK) return raise_error(status);
    if (PyErr_CheckSignals() != 0) return NULL; /* Ctrl-C behind the last token */
    return PyLong_FromUnsignedLongLong(result.n_generated);
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
