[ ! -e /etc/toy-proxy/sites ] || while read -r name of; do
    for asked; do
        [ "$name" != "$asked" ] || [ "$of" = "$app" ] || echo "site first foreign $name /etc/toy-proxy/sites"
    done
done </etc/toy-proxy/sites
