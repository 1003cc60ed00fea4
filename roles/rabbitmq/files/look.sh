if command -v rabbitmqctl >/dev/null; then
    for kind in user vhost; do
        rabbitmqctl --quiet "list_${kind}s" | cut -f 1 | grep -qxF "$app" && echo "RabbitMQ's $kind $app"
    done
fi
