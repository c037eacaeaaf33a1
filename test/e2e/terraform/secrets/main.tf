variable "password" {
  type = string
}

resource "aws_secretsmanager_secret" "db" {
  name                    = "tf/db"
  description             = "The database's"
  recovery_window_in_days = 0
  tags                    = { team = "a" }
}

resource "aws_secretsmanager_secret_version" "db" {
  secret_id     = aws_secretsmanager_secret.db.id
  secret_string = jsonencode({ username = "ann", password = var.password })
}

resource "aws_secretsmanager_secret_policy" "db" {
  secret_arn = aws_secretsmanager_secret.db.arn
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Deny", Principal = { AWS = "arn:aws:iam::123456789012:root" }, Action = "secretsmanager:DeleteSecret", Resource = "*", Condition = { StringEquals = { "aws:PrincipalType" = "User" } } }]
  })
}

resource "aws_ssm_parameter" "plain" {
  name            = "/tf/plain"
  type            = "String"
  value           = "5432"
  description     = "A port"
  allowed_pattern = "^[0-9]+$"
  tags            = { team = "a" }
}

resource "aws_ssm_parameter" "secure" {
  name  = "/tf/secure"
  type  = "SecureString"
  value = var.password
}

resource "aws_ssm_parameter" "list" {
  name  = "/tf/list"
  type  = "StringList"
  value = "a,b"
  tier  = "Advanced"
}

data "aws_secretsmanager_secret_version" "read" {
  secret_id  = aws_secretsmanager_secret.db.id
  depends_on = [aws_secretsmanager_secret_version.db]
}

data "aws_ssm_parameter" "read" {
  name       = "/tf/secure"
  depends_on = [aws_ssm_parameter.secure]
}

output "read" {
  value = nonsensitive("${jsondecode(data.aws_secretsmanager_secret_version.read.secret_string).username} ${data.aws_ssm_parameter.read.value}")
}
