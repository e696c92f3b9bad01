#!/usr/bin/env bash
# Runs once, on an empty database folder: makes the two roles that are not the superuser.
#   finlinkd    owns the database; name and password are those of the address in the secret `store_url`.
#               Letters and digits only, since nothing here decodes %XX.
#   monitoring  reads statistics, and no table of ours (password in the secret `postgres_monitoring_password`).
set -euo pipefail

address=$(cat /run/secrets/store_url)
credentials=${address#*://}
credentials=${credentials%%@*}

psql --set=ON_ERROR_STOP=1 --quiet --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" \
    --set=owner="${credentials%%:*}" --set=owner_password="${credentials#*:}" \
    --set=monitoring_password="$(cat /run/secrets/postgres_monitoring_password)" <<'SQL'
CREATE ROLE :"owner" LOGIN PASSWORD :'owner_password';
CREATE ROLE monitoring LOGIN PASSWORD :'monitoring_password' CONNECTION LIMIT 5;
GRANT pg_monitor TO monitoring;
-- The database belongs to whom it is for, and nobody else may even connect.
ALTER DATABASE :"DBNAME" OWNER TO :"owner";
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"DBNAME" TO monitoring;
ALTER SCHEMA public OWNER TO :"owner";
SQL
