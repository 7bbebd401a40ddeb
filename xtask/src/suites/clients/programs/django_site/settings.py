"""Settings for Django's own tests and for those of the app here: databases are files."""

import os

DIRECTORY = os.environ["CLIENTS_DIRECTORY"]
DATABASES = {
    name: {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.path.join(DIRECTORY, name + ".sqlite3"),
        "TEST": {"NAME": os.path.join(DIRECTORY, "test_" + name + ".sqlite3")},
    }
    for name in ("default", "other")
}
SECRET_KEY = "of no use to anybody"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "shop"]
TEST_RUNNER = "xmlrunner.extra.djangotestrunner.XMLTestRunner"
TEST_OUTPUT_DIR, TEST_OUTPUT_FILE_NAME = os.path.split(os.environ["CLIENTS_RESULTS"])
