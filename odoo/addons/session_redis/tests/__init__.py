from . import test_connection, test_http, test_start, test_store
