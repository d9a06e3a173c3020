#!/bin/sh
# The roles of gwbank, made once, when the database is made: /docker-entrypoint-initdb.d runs this as its superuser.
#
#   gwbank         owns the tables: `gwbank migrate` and `gwbank serve` are it
#   gwbank_reader  may read, and nothing else: Grafana, psql, QGIS
#
# In a database of one's own it runs as well: POSTGRES_DB=gwbank POSTGRES_USER=postgres SECRETS=./somewhere sh roles.sh
# Passwords stand in files; they go neither through a command line nor through a shell's quoting.
set -eu

SECRETS="${SECRETS:-/run/secrets}"
export SECRETS
for name in gwbank_db_password gwbank_reader_password; do
    if ! [ -s "$SECRETS/$name" ]; then
        echo "roles.sh: $SECRETS/$name is missing or empty" >&2
        exit 1
    fi
done

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
-- psql reads the files itself, without their last line's end, and quotes what :'name' stands for.
\set gwbank_password `cat "$SECRETS/gwbank_db_password"`
\set reader_password `cat "$SECRETS/gwbank_reader_password"`

BEGIN;
-- Not even of a statement that fails does the log keep these.
SET LOCAL log_statement = 'none';
SET LOCAL log_min_error_statement = 'panic';
SET LOCAL log_min_duration_statement = -1;
SET LOCAL password_encryption = 'scram-sha-256';
CREATE ROLE gwbank LOGIN PASSWORD :'gwbank_password';
CREATE ROLE gwbank_reader LOGIN PASSWORD :'reader_password' CONNECTION LIMIT 20;

-- Nobody gets in, or makes anything, by being nobody in particular.
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"DBNAME" TO gwbank, gwbank_reader;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO gwbank;
GRANT USAGE ON SCHEMA public TO gwbank_reader;

-- Tables and views that are there, and those that gwbank makes later.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO gwbank_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE gwbank IN SCHEMA public GRANT SELECT ON TABLES TO gwbank_reader;

-- Habits, not walls: a session may change them. The wall is that it has no grant but SELECT.
ALTER ROLE gwbank_reader SET default_transaction_read_only = on;
ALTER ROLE gwbank_reader SET statement_timeout = '30s';
ALTER ROLE gwbank_reader SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE gwbank_reader SET timezone = 'Asia/Bangkok';
COMMIT;
SQL
