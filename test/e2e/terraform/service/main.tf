# A service behind a load balancer in the default VPC.
variable "answer" { type = string }

locals {
  family = "shop"
}

data "aws_vpc" "default" {
  default = true
}

data "aws_subnets" "default" {
  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.default.id]
  }
}

resource "aws_security_group" "shop" {
  name   = "shop"
  vpc_id = data.aws_vpc.default.id
  ingress {
    from_port   = 80
    to_port     = 80
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_cloudwatch_log_group" "shop" {
  name              = "/terraform/shop"
  retention_in_days = 7
  tags              = { team = "shop" }
}

resource "aws_cloudwatch_log_stream" "by_hand" {
  name           = "by-hand"
  log_group_name = aws_cloudwatch_log_group.shop.name
}

resource "aws_cloudwatch_log_metric_filter" "slow" {
  name           = "slow"
  pattern        = "{ $.ms > 500 }"
  log_group_name = aws_cloudwatch_log_group.shop.name
  metric_transformation {
    name       = "Slow"
    namespace  = "Shop"
    value      = "$.ms"
    unit       = "Milliseconds"
    dimensions = { Path = "$.path" }
  }
}

resource "aws_cloudwatch_query_definition" "errors" {
  name            = "shop/errors"
  log_group_names = [aws_cloudwatch_log_group.shop.name]
  query_string    = "fields @timestamp, @message | filter @message like /ERROR/ | limit 20"
}

resource "aws_ecs_cluster" "shop" {
  name = "shop"
  setting {
    name  = "containerInsights"
    value = "disabled"
  }
  tags = { team = "shop" }
}

resource "aws_ecs_task_definition" "shop" {
  family                   = local.family
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.shop.arn
  container_definitions = jsonencode([{
    name         = "web"
    image        = "busybox"
    essential    = true
    command      = ["sh", "-c", "mkdir /w; echo ${var.answer} > /w/index.html; trap 'exit 0' TERM; httpd -f -p 8080 -h /w & wait"]
    portMappings = [{ containerPort = 8080, protocol = "tcp" }]
    environment  = [{ name = "ANSWER", value = var.answer }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.shop.name
        awslogs-region        = "us-east-1"
        awslogs-stream-prefix = "web"
      }
    }
  }])
}

resource "aws_lb" "shop" {
  name               = "shop"
  load_balancer_type = "application"
  subnets            = data.aws_subnets.default.ids
  security_groups    = [aws_security_group.shop.id]
  idle_timeout       = 30
}

resource "aws_lb_target_group" "shop" {
  name                 = "shop"
  vpc_id               = data.aws_vpc.default.id
  target_type          = "ip"
  protocol             = "HTTP"
  port                 = 8080
  deregistration_delay = 1
  health_check {
    path                = "/index.html"
    interval            = 5
    timeout             = 2
    healthy_threshold   = 2
    unhealthy_threshold = 2
    matcher             = "200"
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.shop.arn
  port              = 80
  protocol          = "HTTP"
  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "no such shop"
      status_code  = "404"
    }
  }
}

resource "aws_lb_listener_rule" "shop" {
  listener_arn = aws_lb_listener.http.arn
  priority     = 10
  condition {
    path_pattern {
      values = ["/", "/index.html"]
    }
  }
  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.shop.arn
  }
}

resource "aws_ecs_service" "shop" {
  name                               = "shop"
  cluster                            = aws_ecs_cluster.shop.id
  task_definition                    = aws_ecs_task_definition.shop.arn
  desired_count                      = 2
  launch_type                        = "FARGATE"
  wait_for_steady_state              = true
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  enable_ecs_managed_tags            = true
  propagate_tags                     = "SERVICE"
  health_check_grace_period_seconds  = 30
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets          = data.aws_subnets.default.ids
    security_groups  = [aws_security_group.shop.id]
    assign_public_ip = true
  }
  load_balancer {
    target_group_arn = aws_lb_target_group.shop.arn
    container_name   = "web"
    container_port   = 8080
  }
  tags       = { team = "shop" }
  depends_on = [aws_lb_listener_rule.shop, aws_iam_role_policy_attachment.execution, aws_iam_role_policy.groups]
}

output "dns_name" { value = aws_lb.shop.dns_name }
output "task_definition" { value = aws_ecs_task_definition.shop.arn }
