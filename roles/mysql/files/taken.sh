count="SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '$app'"
case $(command -v mysql >/dev/null && $root mysql -N -e "$count" 2>/dev/null) in
    '' | 0) ;;
    *) echo "taken the database $app" ;;
esac
