names="SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'"
names=$(command -v psql >/dev/null && $root runuser -u postgres -- psql -XAtc "$names" 2>/dev/null | xargs)
[ -z "$names" ] || echo "used replace the pg_hba.conf of PostgreSQL, which has $names, so that few can log in"
