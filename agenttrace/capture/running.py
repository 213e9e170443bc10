"""Does what Python does with its command line, behind the runner: script, folder, archive, -m, -c, standard input.

`sys.argv`, `sys.path`, `__main__` and tracebacks are as they would have been. Python's own frames below a program stay
below it, and so do ours: a traceback is shown without them. Valid on every Python that may get here.
"""

import os
import sys

_FOLDER = __file__.rpartition("/")[0]


def run():
    """Runs what stands on the command line behind the runner, in `__main__`."""
    main = sys.modules["__main__"]
    _load_hooks()
    arguments = sys.argv[1:]
    runner = sys.argv[0]
    # Without safe_path Python has put the runner's folder there, in place of what belongs there.
    has_path0 = bool(sys.path) and _is_ours(sys.path[0])
    if has_path0:
        del sys.path[0]
    orig = getattr(sys, "orig_argv", None)
    if orig is not None and runner in orig:
        orig.remove(runner)
    kept = ("__name__", "__doc__", "__package__", "__loader__", "__spec__", "__builtins__")
    for name in list(vars(main)):
        if name not in kept and name != "__annotations__":
            del main.__dict__[name]
    main.__doc__ = None
    try:
        _run(main, arguments, has_path0)
    except SystemExit:
        raise
    except BaseException:
        _show_without_us()
        raise


def _load_hooks():
    if sys.version_info < (3, 8):
        return
    try:
        from . import boot

        boot.start()
    except Exception as error:  # the agent must start whatever happens to us; it is told once
        if sys.stderr is not None:
            sys.stderr.write("agenttrace: the hooks could not be loaded: %r\n" % (error,))


def _is_ours(entry):
    return os.path.realpath(entry) == os.path.realpath(_FOLDER)


def _run(main, arguments, has_path0):
    if arguments and arguments[0] == "-c":
        _run_text(main, arguments, has_path0)
    elif arguments and arguments[0] == "-m":
        import runpy

        sys.argv[:] = ["-m"] + arguments[2:]
        if has_path0:
            sys.path.insert(0, os.getcwd())
        runpy._run_module_as_main(arguments[1])
    elif not arguments or arguments[0] == "-":
        _run_stdin(main, arguments, has_path0)
    else:
        _run_file(main, arguments, has_path0)


def _run_text(main, arguments, has_path0):
    sys.argv[:] = ["-c"] + arguments[2:]
    if has_path0:
        sys.path.insert(0, "")
    _set_builtin_loader(main)
    text = arguments[1] + "\n"
    if sys.version_info >= (3, 14):
        import textwrap

        text = textwrap.dedent(text)
    code = compile(text, "<string>", "exec", 0, True)
    if sys.version_info >= (3, 13):
        import linecache  # tracebacks show its lines

        register = getattr(linecache, "_register_code", None)
        if register is not None:
            # 3.13 keeps them by the file's name, later ones by the code.
            register("<string>" if sys.version_info < (3, 14) else code, text, "<string>")
    exec(code, main.__dict__)


def _set_builtin_loader(main):
    if sys.version_info >= (3,):
        from importlib.machinery import BuiltinImporter

        main.__loader__ = BuiltinImporter


def _run_stdin(main, arguments, has_path0):
    if sys.stdin is not None and sys.stdin.isatty():
        # The prompt is Python's own, unhooked; that is told of like every Python without hooks.
        flags = sys.flags
        letters = "I" if getattr(flags, "isolated", 0) else "E" * bool(flags.ignore_environment)
        letters += "S" * bool(flags.no_site)
        argv = getattr(sys, "orig_argv", None) or [sys.executable, "-" + letters]
        original = getattr(os.execv, "__wrapped__", os.execv)
        original(sys.executable, argv)
    sys.argv[:] = arguments or [""]
    if has_path0:
        sys.path.insert(0, "")
    _set_builtin_loader(main)
    main.__file__ = "<stdin>"
    if sys.version_info >= (3,):
        main.__cached__ = None
    text = b"" if sys.stdin is None else getattr(sys.stdin, "buffer", sys.stdin).read()
    exec(compile(text, "<stdin>", "exec", 0, True), main.__dict__)


def _run_file(main, arguments, has_path0):
    import pkgutil
    import runpy

    name = arguments[0]
    sys.argv[:] = arguments
    # Since 3.9 Python names what it runs by a whole path, joined as it stands.
    if sys.version_info >= (3, 9) and not os.path.isabs(name):
        name = os.path.join(os.getcwd(), name)
    importer = pkgutil.get_importer(name)
    is_plain = importer.__class__.__name__ in ("NoneType", "NullImporter", "ImpImporter")
    if not is_plain or os.path.isdir(name):
        sys.path.insert(0, name)
        runpy._run_module_as_main("__main__", False)
        return
    if has_path0:
        sys.path.insert(0, os.path.dirname(os.path.realpath(name)))
    code = _code_of(name)
    main.__file__ = name
    if sys.version_info >= (3,):
        from importlib.machinery import SourceFileLoader, SourcelessFileLoader

        kind = SourcelessFileLoader if name.endswith(".pyc") else SourceFileLoader
        main.__loader__ = kind("__main__", name)
        if sys.version_info < (3, 15):
            main.__cached__ = None
    exec(code, main.__dict__)


def _code_of(path):
    import pkgutil

    try:
        with open(path, "rb") as file:
            if path.endswith(".pyc"):
                return pkgutil.read_code(file)
            return compile(file.read(), path, "exec", 0, True)
    except (IOError, OSError) as error:
        sys.stderr.write(
            "%s: can't open file %r: [Errno %d] %s\n"
            % (sys.executable, path, error.errno, error.strerror)
        )
        sys.exit(2)


def _show_without_us():
    """What ends the program is shown without our frames, by the hook that would have shown it."""
    show = sys.excepthook

    def shown(kind, value, trace):
        sys.excepthook = show
        while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_FOLDER):
            trace = trace.tb_next
        if hasattr(value, "with_traceback"):
            value = value.with_traceback(trace)
        sys.last_traceback = trace
        show(kind, value, trace)

    sys.excepthook = shown
