grep -lsE "^\[(program|group):$app(-blue|-green)?\]" /etc/supervisor/conf.d/*.conf | sed 's/^/taken a program in /'
