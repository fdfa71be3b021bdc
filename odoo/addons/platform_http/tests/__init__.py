from . import test_away, test_databases, test_direct, test_http, test_origins, test_pool
