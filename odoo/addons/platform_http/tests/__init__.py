from . import test_away, test_databases, test_http, test_origins, test_pool
