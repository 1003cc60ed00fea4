for kind in vhost user; do
    if rabbitmqctl --quiet "list_${kind}s" | cut -f 1 | grep -qxF "$app"; then
        rabbitmqctl --quiet "delete_$kind" "$app"
    fi
done
