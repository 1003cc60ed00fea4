# A certificate of the host's own, for unknown names. The link that says what is to be done goes last.
folder=$(mktemp -d /etc/ssl/selfhost/.default.XXXXXX)
trap 'rm -rf "$folder"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj /CN=localhost \
    -keyout "$folder/key" -out "$folder/pem" 2>/dev/null
chmod 0600 "$folder/key"
chmod 0644 "$folder/pem"
mv -fT "$folder/key" /etc/ssl/selfhost/default.key
mv -fT "$folder/pem" /etc/ssl/selfhost/default.pem
