from . import test_connection, test_http, test_sentinels, test_start, test_store
