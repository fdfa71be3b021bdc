from . import my_module
