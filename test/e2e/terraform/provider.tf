# The account, the keys and the endpoint come from the environment (`berth env`): no skip_* flag is needed.
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {
  region = "us-east-1"
}
