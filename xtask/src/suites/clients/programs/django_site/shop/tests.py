import datetime
import threading

from django.core.management import call_command
from django.db import IntegrityError, connection, models, transaction
from django.test import TestCase, TransactionTestCase

from .models import Article, Customer, Order


class Rows(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.customer = Customer.objects.get(name="first")
        cls.pen = Article.objects.create(name="pen", price="1.50", details={"ink": ["blue"]})

    def test_the_migrations_made_rows(self):
        self.assertEqual(Customer.objects.count(), 2)

    def test_constraints_hold(self):
        for bad in (Customer(name="first"), Article(name="debt", price=-1)):
            with self.assertRaises(IntegrityError), transaction.atomic():
                bad.save()
        self.assertEqual(Article.objects.count(), 1)

    def test_an_order_finds_its_articles(self):
        order = Order.objects.create(customer=self.customer, day=datetime.date(2020, 1, 2))
        order.articles.add(self.pen)
        found = Order.objects.filter(articles__details__ink__0="blue", day__year=2020)
        self.assertEqual(found.get().articles.get().price, 1.5)
        self.customer.delete()
        self.assertFalse(Order.objects.exists())

    def test_many_rows(self):
        Article.objects.bulk_create(Article(name=f"{n}", price=n) for n in range(2000))
        Article.objects.filter(price__gte=1000).update(stock=models.F("stock") + 1)
        total = Article.objects.aggregate(models.Sum("stock"))["stock__sum"]
        self.assertEqual(total, 1000)
        self.assertEqual(sum(1 for _ in Article.objects.iterator(chunk_size=100)), 2001)

    def test_a_savepoint_is_rolled_back_alone(self):
        with transaction.atomic():
            Article.objects.update(stock=5)
            with self.assertRaises(ZeroDivisionError), transaction.atomic():
                Article.objects.update(stock=6)
                raise ZeroDivisionError
        self.assertEqual(Article.objects.get().stock, 5)


class Commits(TransactionTestCase):
    def test_the_database_is_a_file(self):
        self.assertTrue(connection.settings_dict["NAME"].endswith("test_default.sqlite3"))

    def test_threads_count_up(self):
        article = Article.objects.create(name="counted", price=1)
        failures = []

        def count():
            try:
                with connection.cursor() as cursor:
                    cursor.execute("PRAGMA busy_timeout = 60000")
                for _ in range(25):
                    Article.objects.filter(pk=article.pk).update(stock=models.F("stock") + 1)
            except Exception as error:
                failures.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        article.refresh_from_db()
        self.assertEqual(article.stock, 100)

    def test_a_schema_is_edited(self):
        with connection.schema_editor() as editor:
            field = models.CharField(max_length=9, default="x")
            field.set_attributes_from_name("extra")
            editor.add_field(Customer, field)
            editor.remove_field(Customer, field)
        self.assertFalse(connection.introspection.get_constraints(connection.cursor(), "none"))

    def test_everything_is_flushed(self):
        Customer.objects.create(name="third")
        call_command("flush", interactive=False, verbosity=0)
        self.assertFalse(Customer.objects.exists())
