systemctl -q is-active postfix 2>/dev/null && echo "used replace /etc/postfix/main.cf, so that it takes no mail from others"
if systemctl -q is-active exim4 2>/dev/null && ! grep -qs "configtype='local'" /etc/exim4/update-exim4.conf.conf; then
    echo "used replace exim4"
fi
