"""The way to a hub over HTTP: ``http.HttpRemote``. ``address`` alone does without requests, which is slow to import."""
