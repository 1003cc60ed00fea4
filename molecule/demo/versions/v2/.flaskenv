FLASK_APP=demo:create_app
