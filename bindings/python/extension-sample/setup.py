"""Builds one wheel for Python 3.9 and every later version: the extension keeps to the limited API (PEP 384).

libalpaca is found by pkg-config, or with ALPACA_INCLUDE and ALPACA_LIB in a build folder. The wheel does not carry it: the extension looks
for it where it was when it was built.
"""

import os
import shlex
import subprocess

from setuptools import Extension, setup


def pkg_config(what: str) -> list[str]:
    return shlex.split(subprocess.run(["pkg-config", what, "alpaca"], check=True, capture_output=True, text=True).stdout)


if "ALPACA_LIB" in os.environ:
    compile_flags = ["-I" + os.path.abspath(os.environ["ALPACA_INCLUDE"])]
    folder = os.path.abspath(os.environ["ALPACA_LIB"])
    link_flags = ["-L" + folder, "-lalpaca", "-Wl,-rpath," + folder]
else:
    compile_flags, link_flags = pkg_config("--cflags"), pkg_config("--libs")

setup(
    ext_modules=[
        Extension(
            "alpaca_sample",
            ["alpaca_sample.c"],
            # A function that is not in the limited API of 3.9 is not declared, and so does not compile.
            define_macros=[("Py_LIMITED_API", "0x03090000")],
            extra_compile_args=["-std=c11", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden", "-pthread", *compile_flags],
            extra_link_args=["-pthread", *link_flags],
            py_limited_api=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp39"}},
)
