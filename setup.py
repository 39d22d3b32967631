"""The one thing that pyproject.toml cannot say yet but as an experiment of setuptools: what is compiled. Where there is
no compiler all else is installed, and NumPy does the work."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "mvc.odb._kernel",
            ["mvc/odb/kernel.c"],
            extra_compile_args=["-std=c11", "-O3"],
            py_limited_api=True,
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
