from django.db import models


class Customer(models.Model):
    name = models.CharField(max_length=50, unique=True)
    email = models.EmailField(null=True)


class Article(models.Model):
    name = models.CharField(max_length=50)
    stock = models.PositiveIntegerField(default=0)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    details = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["name"], name="article_by_name")]
        constraints = [
            models.CheckConstraint(condition=models.Q(price__gte=0), name="price_is_no_debt")
        ]


class Order(models.Model):
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE)
    articles = models.ManyToManyField(Article)
    day = models.DateField()
