"""How sessions of PostgreSQL are named to people."""

# An expression over pg_stat_activity.
WHO = (
    "coalesce(nullif(application_name, ''), 'unknown') || ' (process ' || pid || ', '"
    " || coalesce(host(client_addr), 'the socket') || ', since '"
    " || to_char(coalesce(xact_start, backend_start), 'HH24:MI:SS') || ', ' || coalesce(state, '?')"
    " || '): ' || left(regexp_replace(query, '\\s+', ' ', 'g'), 80)"
)
