from django.db import migrations, models


def greet(apps, editor):
    customer = apps.get_model("shop", "Customer")
    customer.objects.create(name="first")
    customer.objects.create(name="second")


def forget(apps, editor):
    apps.get_model("shop", "Customer").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RunPython(greet, forget),
        migrations.AlterField("Customer", "name", models.CharField(max_length=50, unique=True)),
        migrations.AddField("Customer", "email", models.EmailField(max_length=254, null=True)),
    ]
