{
    "name": "Jobs for the queue mcp_jobs",
    "summary": "Hands jobs to the queue behind PostgREST, without anybody waiting for it",
    # Short, as Odoo takes README.md for reStructuredText where this is missing.
    "description": "env['mcp.job']._enqueue(…); see README.md.",
    "version": "1.0",
    "category": "Technical",
    "author": "ipai-platform",
    "license": "LGPL-3",
    "depends": ["base"],
    "data": ["security/ir.model.access.csv", "data/cron.xml", "views/job.xml"],
    "installable": True,
}
