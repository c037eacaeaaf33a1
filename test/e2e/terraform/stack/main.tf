# What a task leans on: its image's repository, its secrets and parameters, its environment file, its alarm's dashboard; and a definition that names them all.
variable "password" {
  type = string
}

data "aws_caller_identity" "me" {}
data "aws_region" "here" {}

resource "aws_ecr_repository" "app" {
  name                 = "team/app"
  image_tag_mutability = "IMMUTABLE"
  force_delete         = true
  encryption_configuration {
    encryption_type = "AES256"
  }
  image_scanning_configuration {
    scan_on_push = false
  }
  tags = { team = "a" }
}

resource "aws_ecr_lifecycle_policy" "app" {
  repository = aws_ecr_repository.app.name
  policy = jsonencode({
    rules = [
      { rulePriority = 1, description = "Without a tag", selection = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 14 }, action = { type = "expire" } },
      { rulePriority = 2, description = "The newest ten", selection = { tagStatus = "tagged", tagPrefixList = ["v"], countType = "imageCountMoreThan", countNumber = 10 }, action = { type = "expire" } },
    ]
  })
}

data "aws_iam_policy_document" "pull" {
  statement {
    sid     = "Pull"
    actions = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
    principals {
      type        = "AWS"
      identifiers = [data.aws_caller_identity.me.account_id]
    }
  }
}

resource "aws_ecr_repository_policy" "app" {
  repository = aws_ecr_repository.app.name
  policy     = data.aws_iam_policy_document.pull.json
}

resource "aws_ecr_pull_through_cache_rule" "public" {
  ecr_repository_prefix = "public"
  upstream_registry_url = "public.ecr.aws"
}

data "aws_ecr_repository" "app" {
  name = aws_ecr_repository.app.name
}

data "aws_ecr_authorization_token" "token" {}

resource "aws_s3_bucket" "files" {
  bucket        = "stack-files"
  force_destroy = true
  tags          = { team = "a" }
}

resource "aws_s3_bucket_lifecycle_configuration" "files" {
  bucket = aws_s3_bucket.files.id
  rule {
    id     = "leftovers"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
  rule {
    id     = "reports"
    status = "Enabled"
    filter {
      and {
        prefix = "reports/"
        tags   = { keep = "no" }
      }
    }
    expiration {
      days = 30
    }
  }
}

resource "aws_s3_object" "environment" {
  bucket       = aws_s3_bucket.files.id
  key          = "app/web.env"
  content      = "LEVEL=debug\nPASSWORD_HINT=none\n"
  content_type = "text/plain"
  metadata     = { origin = "terraform" }
  tags         = { team = "a" }
}

data "aws_s3_object" "environment" {
  bucket = aws_s3_object.environment.bucket
  key    = aws_s3_object.environment.key
}

resource "aws_secretsmanager_secret" "db" {
  name                    = "stack/db"
  description             = "The database's"
  recovery_window_in_days = 0
  tags                    = { team = "a" }
}

resource "aws_secretsmanager_secret_version" "db" {
  secret_id     = aws_secretsmanager_secret.db.id
  secret_string = jsonencode({ username = "ann", password = var.password })
}

resource "aws_ssm_parameter" "port" {
  name            = "/stack/port"
  type            = "String"
  value           = "5432"
  allowed_pattern = "^[0-9]+$"
  tags            = { team = "a" }
}

resource "aws_ssm_parameter" "key" {
  name  = "/stack/key"
  type  = "SecureString"
  value = var.password
}

resource "aws_cloudwatch_dashboard" "app" {
  dashboard_name = "stack"
  dashboard_body = jsonencode({
    widgets = [{
      type = "metric", x = 0, y = 0, width = 12, height = 6
      properties = {
        title   = "Processor", region = data.aws_region.here.name, period = 60, stat = "Average"
        metrics = [["AWS/ECS", "CPUUtilization", "ClusterName", "default", "ServiceName", "stack"]]
      }
    }]
  })
}

data "aws_iam_policy_document" "tasks" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "execution" {
  name               = "stack-execution"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

resource "aws_iam_role_policy" "reads" {
  name = "reads"
  role = aws_iam_role.execution.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = "secretsmanager:GetSecretValue", Resource = aws_secretsmanager_secret.db.arn },
      { Effect = "Allow", Action = "ssm:GetParameters", Resource = [aws_ssm_parameter.port.arn, aws_ssm_parameter.key.arn] },
      { Effect = "Allow", Action = "s3:GetObject", Resource = "${aws_s3_bucket.files.arn}/*" },
      { Effect = "Allow", Action = "logs:CreateLogGroup", Resource = "*" },
    ]
  })
}

resource "aws_ecs_task_definition" "app" {
  family                   = "stack"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = aws_iam_role.execution.arn
  container_definitions = jsonencode([{
    name             = "main"
    image            = "${aws_ecr_repository.app.repository_url}:v1"
    essential        = true
    command          = ["sh", "-c", "echo $LEVEL $PORT $USERNAME $(printf %s \"$KEY\" | wc -c)"]
    environmentFiles = [{ type = "s3", value = aws_s3_object.environment.arn }]
    secrets = [
      { name = "PORT", valueFrom = aws_ssm_parameter.port.arn },
      { name = "KEY", valueFrom = aws_ssm_parameter.key.arn },
      { name = "USERNAME", valueFrom = "${aws_secretsmanager_secret.db.arn}:username::" },
    ]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = "/e2e"
        awslogs-region        = data.aws_region.here.name
        awslogs-stream-prefix = "e2e"
        awslogs-create-group  = "true"
      }
    }
  }])
}

output "repository" { value = data.aws_ecr_repository.app.repository_url }
output "endpoint" { value = nonsensitive(data.aws_ecr_authorization_token.token.proxy_endpoint) }
output "environment" { value = data.aws_s3_object.environment.body }
output "definition" { value = aws_ecs_task_definition.app.arn }
