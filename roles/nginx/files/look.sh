[ "$(readlink /etc/ssl/selfhost/default.pem)" != "$app.pem" ] ||
    echo "the certificate of $app that is shown for unknown names"
