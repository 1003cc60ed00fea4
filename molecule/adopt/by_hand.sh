#!/bin/sh
# An installation by hand, as one script for a root shell, in the forms that the tutorials have.
# Arguments: REPOSITORY VERSION MODULE:APPLICATION MANAGER DATABASE
#   MANAGER   supervisor (the Flask Mega-Tutorial); systemd, with a socket, or uwsgi (both DigitalOcean's)
#   DATABASE  mysql, sqlite or postgresql
# Beside the site, a worker runs under the same manager, and a line of the user's crontab.
set -eu
repository=$1 version=$2 entrypoint=$3 manager=$4 database=$5
export DEBIAN_FRONTEND=noninteractive
folder=/home/ubuntu/site

adduser --gecos "" --disabled-password ubuntu
chmod 755 /home/ubuntu  # so that nginx reads the static files
apt-get update
apt-get -y install python3 python3-venv python3-dev nginx git postfix cron
[ "$manager" != supervisor ] || apt-get -y install supervisor
server=gunicorn passes="proxy_pass http://localhost:8000; proxy_redirect off;"
[ "$manager" != systemd ] || passes="proxy_pass http://unix:$folder/site.sock;"
# pyuwsgi is uWSGI as a wheel, so that nothing is compiled
[ "$manager" != uwsgi ] || server=pyuwsgi passes="include uwsgi_params; uwsgi_pass unix:$folder/site.sock;"
case $database in
mysql)
    apt-get -y install default-mysql-server
    driver="pymysql cryptography" url=mysql+pymysql://site:pelican4711@localhost:3306/site
    mysql -u root <<SQL
create database site character set utf8 collate utf8_bin;
create user 'site'@'localhost' identified by 'pelican4711';
grant all privileges on site.* to 'site'@'localhost';
flush privileges;
SQL
    ;;
postgresql)
    apt-get -y install postgresql
    driver="psycopg[binary]" url=postgresql+psycopg://site:pelican4711@localhost/site
    (cd / && runuser -u postgres -- psql -q <<SQL
create user site password 'pelican4711';
create database site owner site;
SQL
    )
    ;;
sqlite) driver=python-dotenv url=sqlite:///$folder/app.db ;;
esac

su ubuntu -c "cd && git clone $repository site && cd site && git checkout $version &&
    python3 -m venv venv && . venv/bin/activate &&
    pip install -r requirements.txt && pip install $server $driver"
cat >$folder/.env <<SETTINGS
SECRET_KEY=heron4711-52cb883e323b48d78a0a36e8e951ba4a
MAIL_SERVER=localhost
MAIL_PORT=25
MAIL_SENDER="The site <site@example.com>"
UPLOAD_FOLDER=uploads
DATABASE_URL=$url
SETTINGS
chown ubuntu: $folder/.env
chmod 600 $folder/.env
su ubuntu -c "cd ~/site && . venv/bin/activate && export FLASK_APP=$entrypoint &&
    flask db upgrade && flask translate compile"
su ubuntu -c "mkdir -p ~/site/uploads/2024 ~/site/logs && head -c 100000 /dev/urandom >~/site/uploads/2024/cat.jpg &&
    echo hello >~/site/uploads/note.txt && echo started >~/site/logs/site.log"

case $manager in
supervisor)
    cat >/etc/supervisor/conf.d/site.conf <<PROGRAM
[program:site]
command=$folder/venv/bin/gunicorn -b localhost:8000 -w 4 $entrypoint
directory=$folder
user=ubuntu
autostart=true
autorestart=true
stopasgroup=true
killasgroup=true
PROGRAM
    cat >/etc/supervisor/conf.d/site-tasks.conf <<PROGRAM
[program:site-tasks]
command=$folder/venv/bin/flask work --seconds 1
numprocs=1
directory=$folder
user=ubuntu
autostart=true
autorestart=true
stopasgroup=true
killasgroup=true
PROGRAM
    supervisorctl reload
    ;;
systemd | uwsgi)
    starts="gunicorn --workers 3 --bind unix:site.sock -m 007 $entrypoint"
    if [ "$manager" = uwsgi ]; then
        starts="uwsgi --ini site.ini"
        cat >$folder/site.ini <<INI
[uwsgi]
module = $entrypoint

master = true
processes = 5

socket = site.sock
chmod-socket = 660
vacuum = true

die-on-term = true
INI
        chown ubuntu: $folder/site.ini
    fi
    cat >/etc/systemd/system/site.service <<UNIT
[Unit]
Description=The instance to serve site
After=network.target

[Service]
User=ubuntu
Group=www-data
WorkingDirectory=$folder
Environment="PATH=$folder/venv/bin"
ExecStart=$folder/venv/bin/$starts

[Install]
WantedBy=multi-user.target
UNIT
    cat >/etc/systemd/system/site-tasks.service <<UNIT
[Unit]
Description=What works beside site
After=network.target

[Service]
User=ubuntu
WorkingDirectory=$folder
ExecStart=$folder/venv/bin/flask work --seconds 1
Restart=always

[Install]
WantedBy=multi-user.target
UNIT
    systemctl daemon-reload
    systemctl enable --now site site-tasks
    ;;
esac
crontab -u ubuntu - <<CRONTAB
# what is done at night
MAILTO=""
30 4 * * * cd $folder && venv/bin/flask translate compile >>logs/cron.log 2>&1
15 5 * * 1 /usr/bin/find /home/ubuntu/tmp -mtime +30 -delete
CRONTAB

mkdir $folder/certs
openssl req -new -newkey rsa:2048 -days 365 -nodes -x509 -subj /CN=site \
    -keyout $folder/certs/key.pem -out $folder/certs/cert.pem
rm /etc/nginx/sites-enabled/default
cat >/etc/nginx/sites-enabled/site <<SITE
server {
    listen 80;
    server_name _;
    location / { return 301 https://\$host\$request_uri; }
}
server {
    listen 443 ssl;
    server_name _;
    ssl_certificate $folder/certs/cert.pem;
    ssl_certificate_key $folder/certs/key.pem;
    location / {
        $passes
        proxy_set_header Host \$host;
        proxy_set_header X-Real-IP \$remote_addr;
        proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
    }
    location /static { alias $folder/demo/static; expires 30d; }
}
SITE
service nginx reload
