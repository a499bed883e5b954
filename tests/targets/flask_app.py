"""A Flask application with caches that served a while, stopped inside a view: the
frames of werkzeug, Flask and Jinja, with contexts, proxies and requests in them."""

import collections
import datetime
import functools
import logging

import flask
import jinja2

import stage

app = flask.Flask(__name__)
app.secret_key = b"secret"
app.jinja_env.loader = jinja2.DictLoader({
    "base.html": "<html>{% block body %}{% endblock %}</html>",
    "user.html": "{% extends 'base.html' %}{% block body %}{{ user.name|upper }}"
                 "{% for tag in user.tags %}<i>{{ tag }}</i>{% endfor %}{% endblock %}",
    "list.html": "{% extends 'base.html' %}{% block body %}{% for u in users %}"
                 "{{ loop.index }} {{ u.name }}{% endfor %}{% endblock %}",
})


class User:
    def __init__(self, number):
        self.number = number
        self.name = "user %d" % number
        self.tags = ["tag%d" % (number % k) for k in (3, 5, 7)]
        self.seen = datetime.datetime(2024, 1, 1) + datetime.timedelta(days=number)


class Repository:
    """What leaks: pages are kept for every session that asked."""

    def __init__(self):
        self.users = {}
        self.by_tag = collections.defaultdict(set)
        self.pages = collections.OrderedDict()
        self.log = collections.deque(maxlen=200)

    def user(self, number):
        if number not in self.users:
            self.users[number] = user = User(number)
            for tag in user.tags:
                self.by_tag[tag].add(user)
        return self.users[number]


repository = Repository()


@functools.lru_cache(maxsize=128)
def statistics(number):
    user = repository.user(number)
    return {"length": len(user.name), "tags": tuple(user.tags)}


@app.before_request
def remember():
    flask.g.started = datetime.datetime(2024, 1, 1)
    repository.log.append((flask.request.path, dict(flask.request.headers)))


@app.route("/user/<int:number>")
def show_user(number):
    user = repository.user(number)
    flask.session["last"] = number
    page = flask.render_template("user.html", user=user)
    repository.pages[flask.request.url, number] = (page, statistics(number))
    return page


@app.route("/users")
def list_users():
    return flask.render_template("list.html", users=list(repository.users.values()))


@app.route("/stop", methods=["POST"])
def stop():
    form = flask.request.get_json()
    cached = repository
    current = flask.current_app
    closing = functools.partial(statistics, form["number"])
    users = [u for u in cached.users.values() if "tag0" in u.tags]
    stage.stop()
    return flask.jsonify(users=len(users), cached=closing()["length"], name=current.name)


def main():
    logging.getLogger("werkzeug").addHandler(logging.StreamHandler())
    client = app.test_client()
    for number in range(300):
        assert client.get("/user/%d" % number).status_code == 200
    assert client.get("/users").status_code == 200
    answer = client.post("/stop", json={"number": 7, "list": list(range(50))})
    stage.result(**answer.get_json())


main()
