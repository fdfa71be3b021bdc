from . import test_my_module
