for site in /etc/nginx/sites-enabled/* /etc/nginx/conf.d/*.conf; do
    [ -f "$site" ] && [ "${site##*/}" != "$app" ] || continue
    names=$(sed 's/#.*//' "$site" | tr '\n\tA-Z' '  a-z' | grep -o 'server_name [^;]*' | tr -s ' ' | sed 's/$/ /')
    for domain in "$@"; do
        case $names in
            *"server_name $domain "*) place=first ;;
            *" $domain "*) place=other ;;
            *) continue ;;
        esac
        if [ -d "/srv/${site##*/}/deployment" ]; then kind=application; else kind=foreign; fi
        echo "site $place $kind $domain $site"
    done
done
