import django.db.models.deletion
from django.db import migrations, models

NUMBER = {"auto_created": True, "primary_key": True, "serialize": False, "verbose_name": "ID"}


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_customers")]
    operations = [
        migrations.RenameField("Article", "label", "name"),
        migrations.AddField("Article", "stock", models.PositiveIntegerField(default=0)),
        migrations.AddField("Article", "details", models.JSONField(default=dict)),
        migrations.AddIndex("Article", models.Index(fields=["name"], name="article_by_name")),
        migrations.AddConstraint(
            "Article",
            models.CheckConstraint(condition=models.Q(price__gte=0), name="price_is_no_debt"),
        ),
        migrations.CreateModel(
            "Order",
            [
                ("id", models.AutoField(**NUMBER)),
                ("day", models.DateField()),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, to="shop.customer"
                    ),
                ),
                ("articles", models.ManyToManyField(to="shop.article")),
            ],
        ),
    ]
