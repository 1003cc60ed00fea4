for file in /etc/supervisor/conf.d/*.conf; do
    [ -e "$file" ] || continue
    if grep -qs '^[^;#]*[= ]/home/' "$file"; then
        echo "used end what supervisor runs by $file, since it can't read /home any more"
    else
        echo "used confine what supervisor runs by $file, so that it writes to few folders"
    fi
done
