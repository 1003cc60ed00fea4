"""Mail, through the server that is configured."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage

from flask import current_app


def send_mail(recipient: str, subject: str, body: str) -> None:
    """Send a message; a page does not fail where its mail can't be sent."""
    config = current_app.config
    if not config["MAIL_SERVER"]:
        return
    message = EmailMessage()
    message["From"] = config["MAIL_SENDER"]
    message["To"] = recipient
    message["Subject"] = subject
    message.set_content(body)
    try:
        with smtplib.SMTP(config["MAIL_SERVER"], config["MAIL_PORT"], timeout=5) as server:
            server.send_message(message)
    except OSError as error:
        current_app.logger.warning("no mail to %s: %s", recipient, error)
