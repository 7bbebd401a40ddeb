from django.db import migrations, models

NUMBER = {"auto_created": True, "primary_key": True, "serialize": False, "verbose_name": "ID"}


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Customer",
            [
                ("id", models.AutoField(**NUMBER)),
                ("name", models.CharField(max_length=20)),
            ],
        ),
        migrations.CreateModel(
            "Article",
            [
                ("id", models.AutoField(**NUMBER)),
                ("label", models.CharField(max_length=50)),
                ("price", models.DecimalField(max_digits=10, decimal_places=2)),
            ],
        ),
    ]
