names=
for site in /etc/nginx/sites-enabled/* /etc/nginx/conf.d/*.conf; do
    [ -e "$site" ] && [ "${site##*/}" != default ] || continue
    names="$names ${site##*/}"
    if grep -qs '^[^#]*listen[^#]*default_server' "$site"; then
        echo "blocked $site is nginx's default site, and this collection has one of its own. Remove default_server there."
    fi
    if grep -qs '^[^#]*[ :]/home/' "$site"; then
        echo "used keep nginx from the files in /home that $site has"
    fi
done
[ -z "$names" ] || echo "used replace /etc/nginx/nginx.conf, for the sites$names, too"
