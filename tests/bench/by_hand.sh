#!/bin/sh
# The same site made by hand, as the tutorials have it, pasted as one script into a root shell: what the
# playbook is timed against. Arguments: REPOSITORY VERSION MODULE:APPLICATION
set -eu
repository=$1 version=$2 entrypoint=$3
export DEBIAN_FRONTEND=noninteractive

adduser --gecos "" --disabled-password ubuntu
usermod -aG sudo ubuntu
install -d -m 700 -o ubuntu ~ubuntu/.ssh
install -m 600 -o ubuntu ~/.ssh/authorized_keys ~ubuntu/.ssh/authorized_keys
printf 'PermitRootLogin no\nPasswordAuthentication no\n' >>/etc/ssh/sshd_config
service ssh restart

apt-get update
apt-get -y install ufw
ufw allow ssh
ufw allow http
ufw allow 443/tcp
ufw --force enable

apt-get -y install python3 python3-venv python3-dev
apt-get -y install default-mysql-server postfix supervisor nginx git

su ubuntu -c "cd && git clone $repository site && cd site && git checkout $version &&
    python3 -m venv venv && . venv/bin/activate &&
    pip install -r requirements.txt && pip install gunicorn pymysql cryptography"
cat >~ubuntu/site/.env <<SETTINGS
SECRET_KEY=52cb883e323b48d78a0a36e8e951ba4a
MAIL_SERVER=localhost
MAIL_PORT=25
DATABASE_URL=mysql+pymysql://site:secret@localhost:3306/site
SETTINGS
mysql -u root <<SQL
create database site character set utf8 collate utf8_bin;
create user 'site'@'localhost' identified by 'secret';
grant all privileges on site.* to 'site'@'localhost';
flush privileges;
SQL
su ubuntu -c "cd ~/site && . venv/bin/activate && export FLASK_APP=$entrypoint &&
    flask db upgrade && flask translate compile"

cat >/etc/supervisor/conf.d/site.conf <<PROGRAM
[program:site]
command=/home/ubuntu/site/venv/bin/gunicorn -b localhost:8000 -w 4 $entrypoint
directory=/home/ubuntu/site
user=ubuntu
autostart=true
autorestart=true
stopasgroup=true
killasgroup=true
PROGRAM
supervisorctl reload

mkdir ~ubuntu/site/certs
openssl req -new -newkey rsa:4096 -days 365 -nodes -x509 -subj /CN=site \
    -keyout ~ubuntu/site/certs/key.pem -out ~ubuntu/site/certs/cert.pem
rm /etc/nginx/sites-enabled/default
cat >/etc/nginx/sites-enabled/site <<'SITE'
server {
    listen 80;
    server_name _;
    location / { return 301 https://$host$request_uri; }
}
server {
    listen 443 ssl;
    server_name _;
    ssl_certificate /home/ubuntu/site/certs/cert.pem;
    ssl_certificate_key /home/ubuntu/site/certs/key.pem;
    location / {
        proxy_pass http://localhost:8000;
        proxy_redirect off;
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
    location /static { alias /home/ubuntu/site/app/static; expires 30d; }
}
SITE
service nginx reload
