"""Real test hosts: systemd as PID 1, sshd, a network namespace of their own, a working firewall.

A test host is a podman container that behaves as a cloud provider's bare Debian server does, or
with `--virtual` a virtual machine of QEMU's with a kernel of its own, which is emulated, and slow,
where the processor can't run it by itself (KVM). Its image is built by mmdebstrap out of Debian's
packages, from the mirror, with the proxies and the CA certificates that this machine itself uses;
nothing else is downloaded. Ansible reaches a host over ssh, as a user would, and host key checking
stays on.

    machine.py    what this machine needs: packages, its settings, how podman runs on it
    checkout.py   this checkout, and the folder of its hosts
    image.py      the recipe of an image, built once and again when the recipe changed
    disk.py       the same as the disk of a virtual machine, with Debian's kernel
    container.py  a host that is a container
    virtual.py    a host that is a virtual machine
    agent.py      commands in a virtual machine, without ssh
    host.py       one host: create, start, reboot, power loss, remove
    cli.py        the command line, `script/testhost`

Keys and known_hosts are in `.testhost/` of the checkout; images and containers in podman's storage,
disks in /var/lib/testhost. Two checkouts never meet: names, labels and the network carry a hash of
the checkout's path.
"""
