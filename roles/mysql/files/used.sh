names=$($root ls -p /var/lib/mysql 2>/dev/null | sed -n 's|/$||p' |
    grep -v '^#\|^mysql$\|^performance_schema$\|^sys$\|^lost+found$' | xargs)
[ -z "$names" ] || echo "used restart the database server, which has $names, and close it to other hosts"
