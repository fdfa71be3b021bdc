-- a copy of the database sends nothing
DELETE FROM ir_config_parameter WHERE key = 'mcp_jobs.key';
