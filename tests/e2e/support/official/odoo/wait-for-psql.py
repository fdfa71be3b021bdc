#!/usr/bin/env python3
"""Wait until PostgreSQL lets a user in, as the official image's script of this name does.

What the file that ODOO_RC names says goes before the arguments.
"""

import argparse
import configparser
import os
import sys
import time

import psycopg2  # a package of the image's

OPTIONS = {"db_host": "host", "db_port": "port", "db_user": "user", "db_password": "password"}

parser = argparse.ArgumentParser()
for option in OPTIONS:
    parser.add_argument(f"--{option}")
parser.add_argument("--timeout", type=int, default=5)
given = vars(parser.parse_args())

config = configparser.RawConfigParser()
config.read(os.environ.get("ODOO_RC", ""))
stored = dict(config["options"]) if config.has_section("options") else {}
place = {key: stored.get(name) or given[name] for name, key in OPTIONS.items()}

deadline = time.monotonic() + given["timeout"]
while True:
    try:
        psycopg2.connect(dbname="postgres", **place).close()
        break
    except psycopg2.OperationalError as error:
        if time.monotonic() > deadline:
            sys.exit(f"no connection to the database: {error}")
        time.sleep(1)
