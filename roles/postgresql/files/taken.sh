count="SELECT COUNT(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
case $(command -v psql >/dev/null && $root runuser -u postgres -- psql -XAtd "$app" -c "$count" 2>/dev/null) in
    '' | 0) ;;
    *) echo "taken the database $app" ;;
esac
