"""Real test hosts: systemd as PID 1, sshd, a network namespace of their own, a working firewall.

A test host is a podman container that behaves as a cloud provider's bare Debian server does.
Its image is built by mmdebstrap out of Debian's packages, from the mirror, with the proxies and
the CA certificates that this machine itself uses; nothing else is downloaded. Ansible reaches a
host over ssh, as a user would, and host key checking stays on.

    machine.py  what this machine needs: packages, its settings, how podman runs on it
    image.py    the recipe of an image, built once and again when the recipe changed
    host.py     one host: create, start, reboot, power loss, remove
    cli.py      the command line, `script/testhost`

Keys and known_hosts are in `.testhost/` of the checkout; images and hosts in podman's storage.
Two checkouts never meet: names, labels and the network carry a hash of the checkout's path.
"""
