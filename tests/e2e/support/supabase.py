"""The local Supabase of a clone, without the rest of the platform."""

import time
from dataclasses import dataclass
from typing import Any, LiteralString

import jwt
import psycopg
import requests
from psycopg.rows import dict_row

from tests.e2e.support import images
from tests.e2e.support.checkout import Checkout, free_port
from tests.e2e.support.tools import build

PROFILE = ("--profile", "supabase")
ENQUEUE = "SELECT mcp_jobs.enqueue_job('test', 'http', %s::jsonb, %s) AS id"
Connection = psycopg.Connection[dict[str, Any]]


def sign(secret: str, role: str | None, seconds: int | None = 600, **claims: Any) -> str:
    """A token; without role or expiry where those are None."""
    content = {"iss": "supabase", "iat": int(time.time()), **claims}
    content |= {} if role is None else {"role": role}
    content |= {} if seconds is None else {"exp": int(time.time()) + seconds}
    return jwt.encode(content, secret, algorithm="HS256")


@dataclass(frozen=True)
class Rest:
    """PostgREST, or what stands in for it, as a client sees it."""

    url: str
    secret: str

    def token(self, role: str | None, seconds: int | None = 600, **claims: Any) -> str:
        """A token that it takes."""
        return sign(self.secret, role, seconds, **claims)

    def ask(
        self, method: str, path: str, token: str = "", body: Any = None, **params: str
    ) -> requests.Response:
        """Any request to the schema of the queue."""
        headers = {"Accept-Profile": "mcp_jobs", "Content-Profile": "mcp_jobs"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        url = f"{self.url}/{path}"
        return requests.request(method, url, headers=headers, json=body, params=params, timeout=30)

    def call(self, function: str, **arguments: Any) -> Any:
        """What a function answers to service_role."""
        done = self.ask("POST", f"rpc/{function}", self.token("service_role"), arguments)
        assert done.ok, done.text
        return done.json()


@dataclass(frozen=True)
class Local:
    """Database and stand-in, as the profile starts them."""

    checkout: Checkout
    port: int

    @classmethod
    def prepare(cls, checkout: Checkout) -> "Local":
        """Settings of a clone that has its secrets: the stand-in in PostgREST's place."""
        port = free_port()
        lines = [f"POSTGREST_IMAGE={build(checkout, 'postgrest')}", f"POSTGREST_PORT={port}"]
        env = checkout.root / ".env"
        before = env.read_text() if env.is_file() else ""
        env.write_text(before + "\n" + "\n".join(lines) + "\n")
        return cls(checkout, port)

    @classmethod
    def start_new(cls, checkout: Checkout) -> "Local":
        """Started, with all migrations."""
        images.write_settings(checkout)
        assert checkout.inv("secrets").returncode == 0
        local = cls.prepare(checkout)
        up = checkout.compose(*PROFILE, "up", "-d", "--wait", "supabase_db", "postgrest")
        assert up.returncode == 0, up.stderr
        done = checkout.inv("supabase.migrate")
        assert done.returncode == 0, done.stderr
        return local

    def secret(self, name: str) -> str:
        """A secret without the whitespace around and in it."""
        return "".join((self.checkout.root / "secrets" / f"{name}.txt").read_text().split())

    @property
    def rest(self) -> Rest:
        """What answers in PostgREST's place."""
        return Rest(f"http://127.0.0.1:{self.port}", self.secret("supabase_jwt_secret"))

    @property
    def address(self) -> str:
        """The database's on Docker's own bridge: on the platform's it is out of our reach."""
        if "bridge" not in self._networks():
            container = self.checkout.container("supabase_db")
            done = self.checkout.run("docker", "network", "connect", "bridge", container)
            assert done.returncode == 0, done.stderr
        found: str = self._networks()["bridge"]["IPAddress"]
        return found

    def _networks(self) -> dict[str, Any]:
        found: dict[str, Any] = self.checkout.inspect("supabase_db")["NetworkSettings"]["Networks"]
        return found

    def connect(self, role: str = "service_role", address: str = "") -> Connection:
        """A connection as authenticator that became `role`; each statement a transaction."""
        connection = psycopg.connect(
            host=address or self.address,
            user="authenticator",
            password=self.secret("supabase_db_password"),
            dbname="postgres",
            autocommit=True,
            row_factory=dict_row,
            options="-c statement_timeout=120s",
        )
        connection.execute(f"SET ROLE {role}".encode())
        return connection

    def psql(self, query: str, database: str = "postgres") -> str:
        """The answer to the superuser, unaligned."""
        psql = ["psql", "-U", "postgres", "-d", database, "-v", "ON_ERROR_STOP=1", "-qtAc", query]
        done = self.checkout.exec("supabase_db", *psql)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def clean(self) -> None:
        """An empty queue."""
        self.psql("TRUNCATE mcp_jobs.jobs, mcp_jobs.metrics CASCADE")


def one(connection: Connection, query: LiteralString, *values: Any) -> dict[str, Any]:
    """The only row of an answer."""
    rows = connection.execute(query, values).fetchall()
    assert len(rows) == 1, rows
    return rows[0]


def claim(connection: Connection, worker: str = "w1", source: str | None = None) -> Any:
    """The next job, or None."""
    query = "SELECT * FROM mcp_jobs.claim_next_job(%s, %s)"
    return connection.execute(query, (worker, source)).fetchone()


def enqueue(queue: Local, job_type: str, payload: Any, **more: Any) -> str:
    """Put a job into the queue; returns its id."""
    job = {"p_source": "test", "p_job_type": job_type, "p_payload": payload, **more}
    return str(queue.rest.call("enqueue_job", **job))


def job(queue: Local, job_id: str) -> dict[str, Any]:
    """The row of a job."""
    found: dict[str, Any] = queue.rest.ask(
        "GET", "jobs", queue.rest.token("service_role"), id=f"eq.{job_id}"
    ).json()[0]
    return found
