"""Jobs on their way from a transaction of Odoo to the queue."""

import json
import logging
import uuid
from datetime import timedelta

import requests
from odoo import api, fields, models

_logger = logging.getLogger(__name__)
_BATCH = 50
_HTTP_TIMEOUT = (2, 5)  # to connect, to wait for an answer
_PAUSE = timedelta(minutes=1)
_KEEP = timedelta(days=7)
# The queue or the key is not right (yet); anything else below 500 is about the job itself.
_LATER = {401, 403, 404, 408, 429}


class UnavailableError(Exception):
    """Nobody can be asked now; the job stays where it is."""


class Job(models.Model):
    """An outbox: the row commits with the work that wants the job, or not at all.

    A scheduled action sends it afterwards, so that no user waits for a network. A row
    sent twice (the server died in between) is one job, as `key` goes with it.
    """

    _name = "mcp.job"
    _description = "Job for the queue"
    _order = "id desc"

    source = fields.Char(required=True, default="odoo")
    job_type = fields.Char(required=True)
    payload = fields.Json()  # not required: an empty one is NULL for Odoo
    priority = fields.Integer(required=True, default=5)
    scheduled_at = fields.Datetime()
    max_retries = fields.Integer(required=True, default=3)
    key = fields.Char(required=True, readonly=True)
    state = fields.Selection(
        [("waiting", "Waiting"), ("sent", "Sent"), ("refused", "Refused")],
        required=True, default="waiting", index=True,
    )  # fmt: skip
    queue_id = fields.Char(readonly=True)
    error = fields.Text(readonly=True)

    @api.model
    def _enqueue(self, job_type, payload, **options):
        """Have `job_type` run with `payload` (a dict) once this transaction commits.

        `options`: source, priority (1 first), scheduled_at, max_retries, key. The same
        source and key are one job in the queue. Not callable from outside: who may
        enqueue is up to the code that does.
        """
        known = {"source", "priority", "scheduled_at", "max_retries", "key"}
        if not isinstance(payload, dict) or not set(options) <= known:
            raise TypeError(f"payload has to be a dict, and options are {sorted(known)}")
        values = {**options, "job_type": job_type, "payload": payload}
        values["key"] = values.get("key") or str(uuid.uuid4())
        job = self.sudo().create(values)
        # Wakes the scheduler after the commit; without one it looks every five minutes.
        self.env.ref("mcp_jobs.cron_send").sudo()._trigger()
        return job

    @api.model
    def _send(self):
        """Send what waits, the oldest first; the scheduled action."""
        parameters = self.env["ir.config_parameter"].sudo()
        url = parameters.get_param("mcp_jobs.url") or "http://postgrest:3000"
        token = parameters.get_param("mcp_jobs.key")
        cron = self.env.ref("mcp_jobs.cron_send")
        if not token:
            _logger.info("mcp_jobs.key is not set: jobs wait")
            return
        for count in range(_BATCH + 1):
            job = self._next()
            if not job:
                return
            if count == _BATCH:
                cron._trigger()
                return
            try:
                job._post(url.rstrip("/"), token)
            except UnavailableError as error:
                _logger.warning("the job queue cannot be used, jobs wait: %s", error)
                job.error = str(error)
                cron._trigger(at=fields.Datetime.now() + _PAUSE)
                return
            finally:
                # Each by itself: what is sent stays sent, whatever the next one does.
                self.env.cr.commit()

    def _next(self):
        self.env.cr.execute(
            "SELECT id FROM mcp_job WHERE state = 'waiting' ORDER BY id LIMIT 1"
            " FOR UPDATE SKIP LOCKED"
        )
        return self.browse([row[0] for row in self.env.cr.fetchall()])

    def _post(self, url, token):
        body = {
            "p_source": self.source, "p_job_type": self.job_type, "p_payload": self.payload or {},
            "p_priority": self.priority, "p_max_retries": self.max_retries,
            "p_idempotency_key": self.key,
        }  # fmt: skip
        if self.scheduled_at:
            body["p_scheduled_at"] = self.scheduled_at.isoformat() + "Z"
        headers = {
            "Authorization": f"Bearer {token}", "apikey": token, "Content-Profile": "mcp_jobs",
            "Content-Type": "application/json",
        }  # fmt: skip
        try:
            answer = requests.post(
                f"{url}/rpc/enqueue_job", data=json.dumps(body), headers=headers,
                timeout=_HTTP_TIMEOUT, allow_redirects=False,
            )  # fmt: skip
            status = answer.status_code
            # A redirect, or a page that is no JSON: some other server than the queue's.
            given = answer.json() if status == 200 else None
        except (requests.RequestException, ValueError) as error:
            raise UnavailableError(type(error).__name__) from error
        if status in _LATER or status >= 500 or (status != 200 and status < 400):
            raise UnavailableError(f"status {status}")
        if status == 200:
            self.write({"state": "sent", "queue_id": given, "error": False})
        else:
            self.write({"state": "refused", "error": answer.text[:2000]})

    def action_send_again(self):
        """Have what was refused sent once more."""
        self.filtered(lambda job: job.state == "refused").write({"state": "waiting"})
        self.env.ref("mcp_jobs.cron_send")._trigger()

    @api.autovacuum
    def _gc_sent(self):
        old = fields.Datetime.now() - _KEEP
        self.search([("state", "=", "sent"), ("write_date", "<", old)], limit=10000).unlink()
